from __future__ import annotations

import base64
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.progress import Silent
from lmcli.tokens.sampling import BLOCK, LONG_WORDS_BUDGET, LONGEST_WORD, TrainingSample


def sample(texts: list[str], limit: int = 10**9, seed: int = 0) -> tuple[TrainingSample, list[str]]:
    size = sum(len(text.encode()) for text in texts)
    with Silent().task("") as task:
        taken = TrainingSample(texts, size, limit, task, seed)
        return taken, list(taken)


@settings(deadline=None, max_examples=50)
@given(st.text(), st.sampled_from("aé中 -_\n=1"), st.integers(0, 700), st.text())
def test_below_the_limits_nothing_is_lost(before: str, sign: str, count: int, after: str) -> None:
    text = before + sign * count + after
    taken, blocks = sample([text])
    assert "".join(blocks) == text
    assert taken.sampled_bytes == len(text.encode())
    assert taken.left_out_characters == 0


@pytest.mark.parametrize("sign", ["a", "中", "-", "_", " ", "\n"])
def test_no_block_holds_an_endless_word(sign: str) -> None:
    _, blocks = sample(["text " * 50 + sign * 10_000 + "x text"])
    longest = max(
        (len(run.group()) for block in blocks for run in re.finditer(rf"{re.escape(sign)}+", block)), default=0
    )
    assert longest <= LONGEST_WORD


def test_endless_words_have_a_budget_and_text_around_them_does_not() -> None:
    noise = base64.b64encode(random.Random(0).randbytes(BLOCK * 48)).decode()
    around = "ordinary words. " * 1000
    taken, blocks = sample([around, noise, around])
    total = sum(map(len, blocks))
    assert total == len(around) * 2 + LONG_WORDS_BUDGET
    assert taken.left_out_characters == len(noise) - LONG_WORDS_BUDGET
    assert blocks[-1].endswith("ordinary words. ")


def test_the_sample_is_spread_seeded_and_near_its_limit() -> None:
    texts = [f"{number:05d} " * 2000 for number in range(300)]
    size = sum(map(len, texts))
    _, first = sample(texts, limit=size // 4)
    _, again = sample(texts, limit=size // 4)
    _, other = sample(texts, limit=size // 4, seed=1)
    assert first == again != other
    assert 0.15 * size < sum(map(len, first)) < 0.35 * size
    numbers = {int(block[:5]) for block in first if block}
    assert min(numbers) < 30
    assert max(numbers) > 270


_PROGRAM = """
import base64, random, resource, sys
from pathlib import Path
from lmcli.progress import Silent
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.training import train_tokenizer
text = base64.b64encode(random.Random(0).randbytes(15_000_000)).decode()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
train_tokenizer([text], len(text), TokenizerConfig(), Path(sys.argv[1]), Silent())
print(peak() - before)
"""


@pytest.mark.slow
def test_a_line_of_20_megabytes_takes_bounded_memory_and_time(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, tmp_path], capture_output=True, check=True, timeout=120)
    assert int(done.stdout) < 300  # MB
