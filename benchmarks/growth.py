"""How the time and memory of `clean` and `tokenize` grow with the corpus.

    python benchmarks/corpus.py text --megabytes 600
    python benchmarks/growth.py text --megabytes 60 600

The smaller corpora are the first files of the folder. Each run is a project of its own, in which `clean` removes near
duplicates and `tokenize` trains a tokenizer and encodes the cleaned text. Memory is that of the largest process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from measuring import Measured, measured

SETTINGS = '[project]\ninputs = ["documents/*.jsonl"]\n'
FILES = 8
STEPS = ("clean", "tokenize")


def write_documents(text: Path, folder: Path, wanted: float) -> int:
    """The first files of `text`, each a document, up to so many bytes. Their bytes."""
    folder.mkdir(parents=True)
    total = 0
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context((folder / f"{number:03d}.jsonl").open("w")) for number in range(FILES)]
        for number, path in enumerate(sorted(path for path in text.rglob("*") if path.is_file())):
            if total >= wanted:
                break
            content = path.read_text(errors="replace")
            total += len(content.encode())
            files[number % FILES].write(json.dumps({"text": content}, ensure_ascii=False) + "\n")
    return total


def run(root: Path, documents: Path, preset: str, workers: int) -> dict[str, Measured]:
    """A new project, and both commands in it."""
    project = root / "project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    (project / "documents").symlink_to(documents)
    (project / "lmcli.toml").write_text(SETTINGS)
    flags = {"clean": ["--preset", preset, "--duplicates", "near"], "tokenize": []}
    lmcli = [sys.executable, "-m", "lmcli"]
    return {
        step: measured([*lmcli, step, "--quiet", "--workers", str(workers), *flags[step]], project) for step in STEPS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a folder of text files; each is a document")
    parser.add_argument("--megabytes", type=float, nargs="+", default=[60, 600])
    parser.add_argument("--runs", type=int, default=1, help="of each, taking turns")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--preset", default="light", help="of clean")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sizes = {}
        for number, megabytes in enumerate(sorted(options.megabytes)):
            documents = root / f"documents-{number}"
            sizes[documents] = write_documents(options.text, documents, megabytes * 1e6)
            if sizes[documents] < 0.95 * megabytes * 1e6:
                print(f"there are only {sizes[documents] / 1e6:.1f} MB in {options.text}, not {megabytes:g}")
        runs: dict[tuple[Path, str], list[Measured]] = {(place, step): [] for place in sizes for step in STEPS}
        for _ in range(options.runs):
            for documents in sizes:
                for step, found in run(root, documents, options.preset, options.workers).items():
                    runs[documents, step].append(found)
        report(runs, sizes)


def report(runs: dict[tuple[Path, str], list[Measured]], sizes: dict[Path, int]) -> None:
    for step in STEPS:
        first: tuple[float, float, float] | None = None
        for documents, size in sizes.items():
            done = runs[documents, step]
            seconds, memory = statistics.median(one.seconds for one in done), max(one.memory for one in done)
            line = f"{step:8} {size / 1e6:7.1f} MB {seconds:7.1f} s {size / seconds / 1e6:6.2f} MB/s {memory:6.0f} MiB"
            if first:
                text, time, peak = size / first[0], seconds / first[1], memory / first[2]
                line += f"  text x {text:.1f}: time x {time:.1f}, memory x {peak:.2f}"
            first = first or (size, seconds, memory)
            print(line)


if __name__ == "__main__":
    main()
