from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode
from lmcli.corpus.audit import Audit
from lmcli.corpus.cleaning import REJECTED, clean, read_clean
from lmcli.corpus.config import CleanConfig
from lmcli.corpus.parquet_files import read_rows
from lmcli.corpus.recipe import chain_of
from lmcli.corpus.signatures import similarity
from lmcli.corpus.sources import resolve
from lmcli.corpus.splits import census, pieces
from lmcli.progress import Silent

from .conftest import WriteFile
from .test_signatures import WORDS, family


def run(root: Path, out: Path, **settings: Any) -> Audit:
    config = decode(CleanConfig, settings)
    sources = resolve(["c"], root)
    return clean(sources, config, chain_of(config, root), out, workers=1, progress=Silent())


def rejected(out: Path) -> dict[str, str]:
    return dict(read_rows(out / REJECTED, ("id", "reason"), ""))


def jsonl(texts: list[str]) -> str:
    return "\n".join(json.dumps({"text": text}) for text in texts)


def sentence(seed: int, words: int = 60) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def test_of_near_duplicates_the_first_stays(tmp_path: Path, write_file: WriteFile) -> None:
    one, other = sentence(1), sentence(2)
    write_file("c/a.jsonl", jsonl([one, other, one + " more", one.upper(), other, sentence(3)]))
    audit = run(tmp_path, tmp_path / "out", duplicates="near")
    assert [document.id for document in read_clean(tmp_path / "out")] == ["c/a.jsonl:1", "c/a.jsonl:2", "c/a.jsonl:6"]
    assert rejected(tmp_path / "out") == {
        "c/a.jsonl:3": "duplicate.near",
        "c/a.jsonl:4": "duplicate.near",
        "c/a.jsonl:5": "duplicate.exact",
    }
    assert [(item["documents"], item["id"]) for item in audit.duplicates] == [(3, "c/a.jsonl:1"), (2, "c/a.jsonl:2")]
    assert audit.duplicates[0]["text"].startswith(one[:40])


def test_exact_keeps_near_duplicates_but_they_share_a_group(tmp_path: Path, write_file: WriteFile) -> None:
    one = sentence(1)
    write_file("c/a.jsonl", jsonl([one, sentence(2), one + " more", one]))
    audit = run(tmp_path, tmp_path / "out", duplicates="exact")
    groups = [document.group for document in read_clean(tmp_path / "out")]
    assert audit.dropped == {"duplicate.exact": 1}
    assert groups[0] == groups[2] != groups[1]


def test_no_near_duplicate_straddles_the_split(tmp_path: Path, write_file: WriteFile) -> None:
    chance = random.Random(5)
    texts = [text for _ in range(120) for text in family(chance, WORDS, " ")[:3]]
    chance.shuffle(texts)
    write_file("c/a.jsonl", jsonl(texts))
    run(tmp_path, tmp_path / "out")
    documents = list(read_clean(tmp_path / "out"))
    counted = census(iter(documents))
    assert counted.plan("auto").unit == "document"
    sides: dict[str, list[str]] = {"train": [], "validation": []}
    for piece in pieces(iter(documents), counted, "auto"):
        sides[piece.side].append(piece.text)
    assert len(sides["validation"]) > 10
    assert max(similarity(held, seen) for held in sides["validation"] for seen in sides["train"]) < 0.8


def test_lines_of_earlier_documents_go(tmp_path: Path, write_file: WriteFile) -> None:
    menu, refrain = "Home | About us | Contact | Imprint", "And the band played on and on and on"
    write_file("c/a.txt", f"{menu}\nFirst article.\n{refrain}\n{refrain}")
    write_file("c/b.txt", f"{menu}  \nSecond article.\nshort")
    write_file("c/c.txt", f"  {menu}")
    write_file("c/d.txt", f"short\nFourth.\n{menu}\n{menu}\nEnd.")
    audit = run(tmp_path, tmp_path / "out", duplicate_lines=20)
    assert [document.text for document in read_clean(tmp_path / "out")] == [
        f"{menu}\nFirst article.\n{refrain}\n{refrain}",
        "Second article.\nshort",
        "short\nFourth.\nEnd.",
    ]
    assert rejected(tmp_path / "out") == {"c/c.txt": "duplicate.lines"}
    assert audit.changed["lines.repeated"] == 2
    assert (audit.documents_in, audit.documents_kept) == (4, 3)


def test_lines_of_documents_that_were_dropped_do_not_count(tmp_path: Path, write_file: WriteFile) -> None:
    line = "A line that is long enough to count."
    write_file("c/a.txt", line)
    write_file("c/b.txt", f"{line}\nAnd a second line that makes this one long enough to stay.")
    run(tmp_path, tmp_path / "out", duplicate_lines=20, min_characters=60)
    assert [document.text.split("\n")[0] for document in read_clean(tmp_path / "out")] == [line]


@given(
    st.lists(
        st.tuples(st.sampled_from([*range(6)]), st.sampled_from(["", " extra", "\nAnother line of text"])), min_size=1
    ),
    st.sampled_from(["near", "exact", "keep"]),
    st.sampled_from([0, 10]),
)
@settings(deadline=None, max_examples=40)
def test_in_is_kept_plus_dropped(
    tmp_path_factory: pytest.TempPathFactory, picks: list[tuple[int, str]], duplicates: str, lines: int
) -> None:
    root = tmp_path_factory.mktemp("merge")
    (root / "c").mkdir()
    texts = [sentence(seed, 20) + extra for seed, extra in picks]
    (root / "c" / "a.jsonl").write_text(jsonl([*texts, "short"]))
    audit = run(root, root / "out", duplicates=duplicates, duplicate_lines=lines)
    kept = [document.text for document in read_clean(root / "out")]
    assert audit.documents_in == len(texts) + 1 == len(kept) + len(rejected(root / "out"))
    assert audit.documents_in == audit.documents_kept + audit.dropped.total()
    assert sum(audit.lengths_kept.values()) == len(kept)
    if duplicates != "keep" and not lines:
        assert len(set(kept)) == len(kept) and set(kept) <= set(texts) | {"short"}


def test_cleaning_twice_changes_nothing(tmp_path: Path, write_file: WriteFile) -> None:
    chance = random.Random(9)
    texts = [text for _ in range(30) for text in family(chance, WORDS, " ")]
    write_file("c/a.jsonl", jsonl(texts))
    run(tmp_path, tmp_path / "one", duplicates="near")
    once = [document.text for document in read_clean(tmp_path / "one")]
    write_file("c/a.jsonl", jsonl(once))
    audit = run(tmp_path, tmp_path / "two", duplicates="near")
    assert [document.text for document in read_clean(tmp_path / "two")] == once
    assert not audit.dropped


def test_sources_of_a_mixture_are_named(tmp_path: Path, write_file: WriteFile) -> None:
    from lmcli.stages.cleaning import mixture_of, sources_of

    write_file("books/a.txt", "A book.")
    write_file("web/a.jsonl", jsonl(["A page.", "Another."]))
    settings = {"sources": {"books": {"inputs": ["books/"], "weight": 3}, "web": {"inputs": ["web/*.jsonl"]}}}
    config = decode(CleanConfig, settings)
    sources = sources_of(config, (), tmp_path)
    audit = clean(sources, config, chain_of(config, tmp_path), tmp_path / "out", workers=1, progress=Silent())
    assert [document.source for document in read_clean(tmp_path / "out")] == ["books", "web", "web"]
    assert audit.sources == {"books": 7, "web": 15}
    wanted = {"by": "source", "shares": {"books": 3.0, "web": 1.0}, "max_repeats": 4.0}
    assert mixture_of(config) == {"mixture": wanted}
