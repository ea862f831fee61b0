"""`lmcli clean` beside datatrove: Gopher quality, Gopher repetition, exact and near duplicates on the same documents.

    python benchmarks/corpus.py text --megabytes 60
    python benchmarks/clean.py text --peer-python PEER/bin/python

PEER is an environment of its own with datatrove 0.10.1, `xxhash<4`, numpy and, for its own word splitter, spaCy and
tokenizers. datatrove runs once with our word splitter, so that the rules see the same words, and once with its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import Measured, measured

from lmcli.corpus import words
from lmcli.corpus.parquet_files import read_rows

PEER = Path(__file__).parent / "peers" / "datatrove_clean.py"
ALPHABETIC = 0.5  # technical text is full of punctuation, each mark a word: at the published 0.8 hardly a page is left
SETTINGS = f"""[project]
inputs = ["documents/*.jsonl"]

[clean]
filters = [{{name = "quality.gopher", min_alphabetic = {ALPHABETIC}}}, "quality.repetition"]
duplicates = "near"
"""


def write_documents(text: Path, folder: Path, files: int = 8) -> tuple[int, int]:
    """Each file of `text` becomes a document. The number of documents and their bytes."""
    paths = sorted(path for path in text.rglob("*") if path.is_file())
    folder.mkdir(parents=True)
    total = 0
    for number in range(files):
        with (folder / f"{number:03d}.jsonl").open("w") as out:
            for line, path in enumerate(paths[number::files], 1):
                content = path.read_text(errors="replace")
                total += len(content.encode())
                row = {"text": content, "id": f"documents/{number:03d}.jsonl:{line}"}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return len(paths), total


def run_ours(project: Path) -> tuple[Measured, set[str]]:
    lmcli = [sys.executable, "-m", "lmcli"]
    taken = measured([*lmcli, "clean", "--quiet", "--force", "--workers", "2"], project)
    path = subprocess.run([*lmcli, "path", "clean"], cwd=project, check=True, capture_output=True, text=True).stdout
    return taken, {row[0] for row in read_rows(project / path.strip() / "data", ("id",), "")}


def run_peer(python: str, project: Path, splitter: str) -> tuple[Measured, set[str]]:
    out = project / f"peer-{splitter}"
    shutil.rmtree(out, ignore_errors=True)
    settings = json.dumps({"tokens": words.PATTERN, "alphabetic": ALPHABETIC})
    taken = measured([python, str(PEER), str(project / "documents"), str(out), splitter, settings], project)
    return taken, set((out / "kept.txt").read_text().splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a folder of text files; each is a document")
    parser.add_argument("--peer-python", required=True, help="the Python that has datatrove")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--own-splitter", action="store_true", help="also run datatrove with its own splitter (spaCy)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        project.mkdir()
        documents, size = write_documents(options.text.resolve(), project / "documents")
        (project / "lmcli.toml").write_text(SETTINGS)
        print(f"{documents:,} documents, {size / 1e6:.1f} MB, {options.runs} alternating runs, 2 workers")
        splitters = ["ours", *(["own"] if options.own_splitter else [])]
        times: dict[str, list[float]] = {name: [] for name in ("lmcli", *splitters)}
        kept: dict[str, set[str]] = {}
        memories: dict[str, float] = {}
        for _ in range(options.runs):
            for name in times:
                run = run_ours(project) if name == "lmcli" else run_peer(options.peer_python, project, name)
                taken, kept[name] = run
                times[name].append(taken.seconds)
                memories[name] = max(taken.memory, memories.get(name, 0))
        report(times, kept, memories, documents, size)


def report(
    times: dict[str, list[float]], kept: dict[str, set[str]], memories: dict[str, float], documents: int, size: int
) -> None:
    ours = statistics.median(times["lmcli"])
    for name, seconds in times.items():
        median = statistics.median(seconds)
        label = "lmcli" if name == "lmcli" else f"datatrove, {name} splitter"
        line = f"{label:28} {median:7.1f} s  {documents / median:7.0f} documents/s  {size / median / 1e6:6.2f} MB/s"
        if name != "lmcli":
            same = 1 - len(kept["lmcli"] ^ kept[name]) / documents
            line += f"  lmcli is {median / ours:.1f} times as fast; {100 * same:.2f} % of the decisions are the same"
        print(line + f"  (kept {len(kept[name]):,}; {memories[name]:.0f} MiB)")


if __name__ == "__main__":
    main()
