"""Training the tokenizer of `lmcli` beside plain `tokenizers`, on the same bytes and with the same settings.

    python benchmarks/corpus.py text --megabytes 60
    python benchmarks/tokenizer_training.py text

The peer is what a script would do: byte-level BPE over the files' text, with the same pattern. Both read the text into
memory first; what is timed is the training alone, each time in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from measuring import measured, require

BLOCK = 1 << 16  # characters that a script hands over at a time


def texts_of(folder: Path) -> list[str]:
    return [path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file()]


def train_ours(texts: list[str], vocabulary: int) -> None:
    from lmcli.progress import Silent
    from lmcli.tokens.config import TokenizerConfig
    from lmcli.tokens.training import train_tokenizer

    size = sum(len(text.encode()) for text in texts)
    config = TokenizerConfig(vocab_size=vocabulary, sample_bytes=max(size, 1))
    with tempfile.TemporaryDirectory() as folder:
        train_tokenizer(iter(texts), size, config, Path(folder) / "tokenizer", Silent())


def train_peer(texts: list[str], vocabulary: int) -> None:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    from lmcli.tokens.pretokenization import PATTERN

    def blocks() -> Iterator[str]:
        return (text[start : start + BLOCK] for text in texts for start in range(0, len(text), BLOCK))

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|pad|>"],
    )
    tokenizer.train_from_iterator(blocks(), trainer)


TRAINERS: dict[str, Callable[[list[str], int], None]] = {"lmcli": train_ours, "tokenizers": train_peer}


def train_here(name: str, folder: Path, vocabulary: int, out: Path) -> None:
    """What the process of one run does."""
    texts = texts_of(folder)
    wall, cpu = time.perf_counter(), time.process_time()
    TRAINERS[name](texts, vocabulary)
    out.write_text(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a folder of text files")
    parser.add_argument("--runs", type=int, default=3, help="of each, taking turns")
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--only", choices=TRAINERS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    require("tokenizers")
    if options.only:
        train_here(options.only, options.text, options.vocabulary, options.out)
        return
    size = sum(path.stat().st_size for path in options.text.rglob("*") if path.is_file())
    print(f"{size / 1e6:.1f} MB, {options.vocabulary:,} entries, {options.runs} runs in turn")
    times: dict[str, list[tuple[float, float, float]]] = {name: [] for name in TRAINERS}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "seconds.json"
        for name in list(TRAINERS) * options.runs:
            line = [sys.executable, __file__, str(options.text.resolve()), "--only", name, "--out", str(out)]
            run = measured([*line, "--vocabulary", str(options.vocabulary)], Path(folder))
            seconds, cpu = json.loads(out.read_text())
            times[name].append((seconds, cpu, run.memory))
    report(times, size)


def report(times: dict[str, list[tuple[float, float, float]]], size: int) -> None:
    medians = {name: [statistics.median(values) for values in zip(*runs, strict=True)] for name, runs in times.items()}
    for name, (seconds, cpu, memory) in medians.items():
        speed = size / seconds / 1e6
        print(f"{name:10} {seconds:6.2f} s  {speed:5.1f} MB/s  {cpu:6.2f} s of CPU  {memory:5.0f} MiB with the text")
    (ours, our_cpu, _), (theirs, their_cpu, _) = medians["lmcli"], medians["tokenizers"]
    print(f"lmcli takes {ours / theirs:.2f} times as long as tokenizers ({our_cpu / their_cpu:.2f} by CPU time)")


if __name__ == "__main__":
    main()
