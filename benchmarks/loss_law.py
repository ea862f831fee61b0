"""Trains small models of several sizes and lengths and fits the law by which `lmcli plan` expects bits per byte.

    python benchmarks/loss_law.py tinyshakespeare.txt:char tinyshakespeare.txt:bpe train.en:bpe --out runs.jsonl
    python benchmarks/loss_law.py --fit runs.jsonl          without training again

Each corpus is FILE:KIND, with the kind of its tokenizer. The law (`lmcli/training/expectation.py`) is fitted to the
logarithm of the best validation figure of each run; prints its constants and the error of each run.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmcli.models.config import ModelConfig
from lmcli.models.shape import resolved_shape
from lmcli.stages.planning import text_of
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.training import expectation
from lmcli.training.expectation import Law, Text, expected

RUNS = (
    # depth, width, steps
    (2, 64, 60),
    (2, 64, 250),
    (2, 64, 1000),
    (3, 128, 100),
    (3, 128, 300),
    (3, 128, 900),
    (4, 192, 150),
    (4, 192, 450),
)
STEPS = (1.3, 1.1, 1.03, 1.01)


def lmcli(project: Path, *line: object) -> str:
    command = [sys.executable, "-m", "lmcli", *map(str, line)]
    return subprocess.run(command, cwd=project, check=True, stdout=subprocess.PIPE, text=True).stdout


def corpus_runs(file: Path, kind: str, project: Path, most: int) -> Iterator[dict[str, Any]]:
    """The runs on one corpus of at most `most` steps."""
    project.mkdir()
    lmcli(project, "init", "--quiet")
    lmcli(project, "tokenize", file, "--kind", kind, "--quiet")
    tokens = project / lmcli(project, "path", "tokens").strip()
    train = TokenStream.open(tokens, "train")
    text = text_of(train, Tokenizer.load(project / lmcli(project, "path", "tokenizer").strip()))
    for depth, width, steps in RUNS:
        if steps <= most:
            run = one_run(project, depth, width, steps)
            yield {**dataclasses.asdict(text), **run, "corpus": f"{file.name}:{kind}"}


def one_run(project: Path, depth: int, width: int, steps: int) -> dict[str, Any]:
    line = ("train", "--depth", depth, "--width", width, "--steps", steps, "--json", "--quiet", "--force")
    made = json.loads(lmcli(project, *line))["artifacts"][0]
    shape = resolved_shape(ModelConfig(**made["plan"]["model"]), made["plan"]["vocab_size"])
    best = made["report"]["best"]
    found = {"depth": depth, "width": width, "context": shape.context, "steps": steps}
    return {**found, "weights": shape.matmul_parameters, "seen": best["tokens"], "bits": best["val_bpb"]}


def expectation_of(run: dict[str, Any], law: Law) -> float:
    text = Text(*(run[field.name] for field in dataclasses.fields(Text)))
    return expected(run["weights"], run["seen"], text, law).middle


def squares(runs: list[dict[str, Any]], law: Law) -> float:
    return sum(math.log(expectation_of(run, law) / run["bits"]) ** 2 for run in runs)


def fitted(runs: list[dict[str, Any]], law: Law) -> Law:
    """The constants changed one at a time, in turns, as long as that makes the squares smaller."""
    for ratio in STEPS:
        for _ in range(300):
            before = squares(runs, law)
            for name, factor in itertools.product(dataclasses.asdict(law), (ratio, 1 / ratio)):
                changed = dataclasses.replace(law, **{name: getattr(law, name) * factor})
                law = min(law, changed, key=lambda candidate: squares(runs, candidate))
            if squares(runs, law) > 0.99999 * before:
                break
    return law


def report(runs: list[dict[str, Any]], law: Law) -> None:
    for run in runs:
        ratio = expectation_of(run, law) / run["bits"]
        size = f"{run['depth']} x {run['width']}, {run['steps']} steps, {run['seen'] / run['tokens']:.2f} passes"
        print(f"{run['corpus']:28} {size:36} {run['bits']:.3f} bits per byte, expected {ratio:.3f} times")
    errors = sorted(abs(math.log(expectation_of(run, law) / run["bits"])) for run in runs)
    print(f"half of the errors are below {errors[len(errors) // 2]:.1%}, all below {errors[-1]:.1%}")
    for corpus in sorted({run["corpus"] for run in runs}):
        law_of_others = fitted([run for run in runs if run["corpus"] != corpus], law)
        mine = [
            abs(math.log(expectation_of(run, law_of_others) / run["bits"])) for run in runs if run["corpus"] == corpus
        ]
        print(f"fitted to the other corpora, the error on {corpus} is at most {max(mine):.1%}")
    print(f"LAW = Law({', '.join(f'{name}={value:.4g}' for name, value in dataclasses.asdict(law).items())})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", help="FILE:KIND")
    parser.add_argument("--out", type=Path, default=Path("runs.jsonl"), help="where to keep the runs")
    parser.add_argument("--most", type=int, default=1000, help="steps; longer runs are left out")
    parser.add_argument("--fit", type=Path, help="what an earlier run kept")
    options = parser.parse_args()
    runs = [json.loads(line) for line in options.fit.read_text().splitlines()] if options.fit else []
    with tempfile.TemporaryDirectory() as folder:
        for number, corpus in enumerate(options.corpora):
            name, _, kind = corpus.rpartition(":")
            for run in corpus_runs(Path(name).resolve(), kind, Path(folder) / str(number), options.most):
                runs.append(run)
                options.out.write_text("".join(json.dumps(run) + "\n" for run in runs))
    report(runs, fitted(runs, expectation.LAW))


if __name__ == "__main__":
    main()
