"""Small corpora that tests make for themselves."""

from __future__ import annotations

import random
from pathlib import Path

SUBJECTS = "the cat,a dog,the old man,my sister,the small bird,a sailor,the king,nobody,the child,a stranger".split(",")
VERBS = "saw,found,lost,wanted,carried,watched,followed,remembered,painted,sold".split(",")
OBJECTS = "a red hat,the river,an empty house,two apples,the long road,a letter,the moon,some bread,a song".split(",")
ENDINGS = "in the morning,before the rain,near the sea,without a word,after dinner,in winter,once more".split(",")


def sentences(count: int, seed: int = 0) -> str:
    """Plain English of a small grammar: enough structure to learn, too much variety to learn by heart."""
    rng = random.Random(seed)
    made = (
        f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)} {rng.choice(ENDINGS)}" for _ in range(count)
    )
    return "".join(f"{text[0].upper()}{text[1:]}.\n" for text in made)


def write_corpus(folder: Path, files: int = 3, lines: int = 200) -> Path:
    """A folder of text files, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        (folder / f"{number}.txt").write_text(sentences(lines, seed=number), encoding="utf-8")
    return folder
