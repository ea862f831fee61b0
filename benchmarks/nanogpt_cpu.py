"""`lmcli train --budget` beside nanoGPT's CPU recipe: loss on the same held-out characters, and time.

    git clone https://github.com/karpathy/nanoGPT
    python benchmarks/nanogpt_cpu.py tinyshakespeare.txt --nanogpt nanoGPT --seeds 0,1,2
    python benchmarks/nanogpt_cpu.py tinyshakespeare.txt --budget 9m --peer-loss 1.4697

With --nanogpt, for each seed in turn: the recipe for a CPU as nanoGPT's README has it, then `lmcli train` with its own
defaults and a tenth of the time that the recipe took. With --budget, lmcli alone. nanoGPT's time is that of `train.py`
from start to end; lmcli's is its `elapsed`, with the data opened, the machine measured and the result written (the
whole command's seconds are printed too). Both results are scored by one function: nats for each character of the last
tenth, each character once, in windows of at most 256 side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measuring import measured

from lmcli.tokens.shards import TokenStream
from lmcli.tokens.tokenizer import Tokenizer

SCORER = Path(__file__).parent / "peers" / "character_loss.py"
CONTEXT = 256
STEPS = 2000
RECIPE = (
    "config/train_shakespeare_char.py --device=cpu --compile=False --eval_iters=20 --log_interval=1 --block_size=64 "
    "--batch_size=12 --n_layer=4 --n_head=4 --n_embd=128 --dropout=0.0"
).split()
QUIET = {"PYTHONWARNINGS": "ignore"}  # of deprecated calls
# train.py has one fixed seed; to it each run adds its own, and 0 is nanoGPT as it is.
SEEDED = """
import runpy, sys, torch
seed, draw = int(sys.argv.pop(1)), torch.manual_seed
torch.manual_seed = lambda fixed: draw(fixed + seed)
runpy.run_path("train.py", run_name="__main__")
"""


@dataclass(frozen=True)
class Result:
    """Nats for each held-out character; the seconds that count; the seconds of the whole command."""

    loss: float
    seconds: float
    command: float
    about: str = ""


def score(side: str, python: str, path: Path, text: Path, held_out: int, folder: Path | None = None) -> float:
    """The loss of a model, by a process that for nanoGPT sees its folder."""
    line = [python, str(SCORER), side, str(path), str(text), str(held_out), str(CONTEXT)]
    paths = [*([str(folder)] if folder else []), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    printed = subprocess.run(line, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout
    return float(json.loads(printed.splitlines()[-1])["loss"])  # nanoGPT says how large it is first


class NanoGpt:
    """A copy of the checkout with the text prepared by its own script."""

    def __init__(self, checkout: Path, text: Path, home: Path, python: str) -> None:
        self.home, self._text, self._python = home, text, python
        shutil.copytree(checkout, home, ignore=shutil.ignore_patterns(".git", "out*"))
        data = home / "data" / "shakespeare_char"
        shutil.copyfile(text, data / "input.txt")
        subprocess.run([python, str(data / "prepare.py")], cwd=home, check=True, stdout=subprocess.DEVNULL)
        self.held_out = np.fromfile(data / "val.bin", dtype=np.uint16)

    def run(self, seed: int, steps: int) -> Result:
        length = [f"--max_iters={steps}", f"--lr_decay_iters={steps}"]
        if steps != STEPS:  # a short try must come to a checkpoint too
            length.append(f"--eval_interval={steps}")
        command = measured([self._python, "-c", SEEDED, str(seed), *RECIPE, *length], self.home, QUIET)
        checkpoint = self.home / "out-shakespeare-char" / "ckpt.pt"
        loss = score("nanogpt", self._python, checkpoint, self._text, len(self.held_out), self.home)
        checkpoint.unlink()
        return Result(loss, command.seconds, command.seconds)


class Lmcli:
    """A project with a character tokenizer and the last tenth held out."""

    def __init__(self, text: Path, home: Path) -> None:
        self.home, self._text = home, text
        home.mkdir()
        self._lmcli("init", "--quiet")
        self._lmcli("tokenize", str(text), "--kind", "char", "--split", "tail", "--quiet")
        self.held_out = self._held_out()

    def _lmcli(self, *line: str) -> str:
        command = [sys.executable, "-m", "lmcli", *line]
        return subprocess.run(command, cwd=self.home, check=True, stdout=subprocess.PIPE, text=True).stdout

    def _held_out(self) -> str:
        found = {name: self.home / self._lmcli("path", name).strip() for name in ("tokens", "tokenizer")}
        stream = TokenStream.open(found["tokens"], "validation")
        return Tokenizer.load(found["tokenizer"]).decode([int(token) for token in stream.take(0, len(stream))])

    def run(self, seed: int, budget: str) -> Result:
        out = self.home / "train.json"
        line = [sys.executable, "-m", "lmcli", "train", "--budget", budget, "--seed", str(seed), "--json", "--force"]
        with out.open("w") as file:
            command = measured(line, self.home, stdout=file)
        made = json.loads(out.read_text())["artifacts"][0]
        loss = score("lmcli", sys.executable, self.home / made["path"], self._text, len(self.held_out))
        return Result(loss, made["report"]["elapsed"], command.seconds, describe(made))


def describe(made: dict[str, Any]) -> str:
    """What lmcli chose."""
    plan, report = made["plan"], made["report"]
    model = plan["model"]
    shape = f"{model['depth']} x {model['width']}, context {model['context']}, dropout {model['dropout']}"
    return f"{shape}, {report['steps']} steps of {plan['batching']['tokens']}, best at {report['best']['step']}"


def check_same(text: str, ours: str, theirs: np.ndarray) -> None:
    """Both sides must hold out the same characters."""
    characters = sorted(set(text))
    if ours != "".join(characters[number] for number in theirs):
        raise SystemExit("the two sides hold out different characters")


def main() -> None:
    options = parse()
    text = options.text.resolve()
    with tempfile.TemporaryDirectory() as folder:
        ours = Lmcli(text, Path(folder) / "project")
        theirs = None
        if options.nanogpt:
            theirs = NanoGpt(options.nanogpt.resolve(), text, Path(folder) / "nanogpt", options.peer_python)
            check_same(text.read_text(encoding="utf-8"), ours.held_out, theirs.held_out)
        print(f"{len(ours.held_out):,} held-out characters", flush=True)
        pairs = [run_pair(ours, theirs, seed, options) for seed in options.seeds]
    report([pair[0] for pair in pairs], [pair[1] for pair in pairs if pair[1]], options)


def run_pair(ours: Lmcli, theirs: NanoGpt | None, seed: int, options: argparse.Namespace) -> tuple[Result, Any]:
    """One seed of the peer, if there is one, and of lmcli."""
    peer = theirs.run(seed, options.peer_steps) if theirs else None
    if peer:
        print(f"seed {seed}  nanoGPT {peer.loss:.4f} nats after {peer.seconds:.1f} s", flush=True)
    seconds = (peer.seconds if peer else options.peer_seconds or 0.0) * options.share
    found = ours.run(seed, options.budget or f"{seconds:.2f}s")
    times = f"{found.seconds:.1f} s (the command {found.command:.1f} s)"
    print(f"seed {seed}  lmcli   {found.loss:.4f} nats after {times}: {found.about}", flush=True)
    return found, peer


def report(ours: list[Result], theirs: list[Result], options: argparse.Namespace) -> None:
    """Medians over the seeds, and ratios where there is something to compare with."""
    loss, seconds = (statistics.median(getattr(run, key) for run in ours) for key in ("loss", "seconds"))
    losses = [run.loss for run in ours]
    print(f"lmcli    {loss:.4f} nats ({min(losses):.4f} to {max(losses):.4f}), {seconds:.1f} s")
    peer_loss = statistics.median(run.loss for run in theirs) if theirs else options.peer_loss
    peer_seconds = statistics.median(run.seconds for run in theirs) if theirs else options.peer_seconds
    if peer_loss is None:
        return
    time = f", {peer_seconds:.1f} s" if peer_seconds else ""
    print(f"peer     {peer_loss:.4f} nats{time}")
    ratio = f"; {seconds / peer_seconds:.3f} of its time" if peer_seconds else ""
    print(f"lmcli has {loss / peer_loss:.4f} times the loss ({loss - peer_loss:+.4f} nats){ratio}")
    if theirs:
        below = sum(mine.loss <= his.loss for mine, his in zip(ours, theirs, strict=True))
        print(f"at or below the peer's loss with {below} of {len(ours)} seeds")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="the corpus, one file of text (tinyshakespeare.txt)")
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT; it is copied, not changed")
    parser.add_argument("--peer-python", default=sys.executable, help="the Python that runs nanoGPT (torch, requests)")
    parser.add_argument("--peer-steps", type=int, default=STEPS, help="of the recipe; fewer only to try the script")
    parser.add_argument("--share", type=float, default=0.1, help="of the peer's time, for lmcli")
    parser.add_argument("--seeds", type=lambda value: [int(seed) for seed in value.split(",")], default=[0, 1, 2])
    parser.add_argument("--budget", help="for lmcli, as in 11s or 9m, instead of a share of the peer's time")
    parser.add_argument("--peer-loss", type=float, help="without --nanogpt: a loss to compare with")
    parser.add_argument("--peer-seconds", type=float, help="without --nanogpt: the peer's time")
    options = parser.parse_args()
    if not (options.nanogpt or options.budget or options.peer_seconds):
        parser.error("give --nanogpt, --budget or --peer-seconds")
    return options


if __name__ == "__main__":
    main()
