"""`lmcli tokenize` end to end (start, read, encode, write) beside what most scripts do, with one tokenizer.

    python benchmarks/corpus.py text --megabytes 60
    python benchmarks/tokenize_encoding.py text

The peers are `datasets.map` over the same files in as many processes, with what nanoGPT's scripts do afterwards: all
ids into one uint16 file, an end token after each document; and tiktoken alone with the same merges and threads: texts
in memory to lists of ids, nothing read or written. All have to give the same documents.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from hashlib import blake2b
from pathlib import Path

import numpy as np
from measuring import Measured, measured, require

PEERS = Path(__file__).parent / "peers"
SETTINGS = '[project]\ninputs = ["documents/*.jsonl"]\n'


def write_documents(text: Path, folder: Path, files: int = 8) -> tuple[int, int]:
    """Each file of `text` becomes a document. The number of documents and their bytes."""
    paths = sorted(path for path in text.rglob("*") if path.is_file())
    folder.mkdir(parents=True)
    total = 0
    for number in range(files):
        with (folder / f"{number:03d}.jsonl").open("w") as out:
            for path in paths[number * len(paths) // files : (number + 1) * len(paths) // files]:
                content = path.read_text(errors="replace")
                total += len(content.encode())
                out.write(json.dumps({"text": content}, ensure_ascii=False) + "\n")
    return len(paths), total


def make_tokenizer(root: Path, documents: Path, vocabulary: int) -> Path:
    project = new_project(root / "first", documents)
    run = ["tokenize", "--quiet", "--vocab-size", str(vocabulary)]
    subprocess.run([*lmcli(), *run], cwd=project, check=True, stdout=subprocess.DEVNULL)
    path = subprocess.run([*lmcli(), "path", "tokenizer"], cwd=project, check=True, capture_output=True, text=True)
    return project / path.stdout.strip()


def lmcli() -> list[str]:
    return [sys.executable, "-m", "lmcli"]


def new_project(project: Path, documents: Path) -> Path:
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    (project / "documents").symlink_to(documents)
    (project / "lmcli.toml").write_text(SETTINGS)
    return project


def run_ours(root: Path, documents: Path, tokenizer: Path, workers: int) -> tuple[Measured, Path]:
    project = new_project(root / "ours", documents)
    line = ["tokenize", "--quiet", "--workers", str(workers), "--from", str(tokenizer)]
    found = measured([*lmcli(), *line], project)
    path = subprocess.run([*lmcli(), "path", "tokens"], cwd=project, check=True, capture_output=True, text=True).stdout
    return found, project / path.strip()


def run_peer(name: str, root: Path, documents: Path, tokenizer: Path, workers: int) -> tuple[Measured, Path]:
    """`datasets` is measured as a whole; tiktoken says how long it encoded."""
    out = root / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    command = [sys.executable, str(PEERS / f"{name}_encoding.py"), *map(str, (documents, tokenizer, out, workers))]
    found = measured(command, out, {"HF_HOME": str(out / "home"), "TOKENIZERS_PARALLELISM": "false"})
    said = out / "seconds.json"
    return (Measured(**json.loads(said.read_bytes())) if said.is_file() else found), out


def contents(folder: Path, end: int) -> Counter[bytes]:
    """How often each document, as ids, is in the *-0*.bin files of a folder."""
    found: Counter[bytes] = Counter()
    for side in ("train", "validation"):
        shards = sorted(folder.glob(f"{side}-[0-9]*.bin"))
        ids = np.concatenate([np.fromfile(path, dtype="<u2") for path in shards]) if shards else np.empty(0, "<u2")
        found.update(blake2b(part.tobytes()).digest() for part in np.split(ids, np.flatnonzero(ids == end) + 1)[:-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a folder of text files; each is a document")
    parser.add_argument("--runs", type=int, default=3, help="of each, taking turns")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--vocabulary", type=int, default=8192)
    options = parser.parse_args()
    require("datasets", "tiktoken", "tokenizers")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        documents = root / "documents"
        count, size = write_documents(options.text.resolve(), documents)
        tokenizer = make_tokenizer(root, documents, options.vocabulary)
        end = end_of(tokenizer)
        print(f"{count:,} documents, {size / 1e6:.1f} MB, {options.runs} runs in turn, {options.workers} workers")
        runs: dict[str, list[Measured]] = {"lmcli": [], "datasets": [], "tiktoken": []}
        same: dict[str, Counter[bytes]] = {}
        for _ in range(options.runs):
            for name, done in runs.items():
                if name == "lmcli":
                    found, out = run_ours(root, documents, tokenizer, options.workers)
                else:
                    found, out = run_peer(name, root, documents, tokenizer, options.workers)
                done.append(found)
                same[name] = contents(out, end)
        report(runs, same, size)


def end_of(tokenizer: Path) -> int:
    from lmcli.tokens.tokenizer import Tokenizer

    return Tokenizer.load(tokenizer).end_id


def report(runs: dict[str, list[Measured]], same: dict[str, Counter[bytes]], size: int) -> None:
    ours = statistics.median(run.seconds for run in runs["lmcli"])
    work = statistics.median(run.cpu for run in runs["lmcli"])
    for name, done in runs.items():
        seconds, cpu = (
            statistics.median(values) for values in zip(*((run.seconds, run.cpu) for run in done), strict=True)
        )
        memory = max(run.memory for run in done)
        line = f"{name:9} {seconds:6.2f} s  {size / seconds / 1e6:5.1f} MB/s  {cpu:6.2f} s of CPU  {memory:5.0f} MiB"
        if name != "lmcli":
            equal = "the same ids" if same[name] == same["lmcli"] else "OTHER IDS"
            line += f"  lmcli is {seconds / ours:.2f} times as fast ({cpu / work:.2f} by CPU time), {equal}"
        print(line)


if __name__ == "__main__":
    main()
