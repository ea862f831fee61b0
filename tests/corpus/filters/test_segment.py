from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmcli.corpus.filters import segment
from lmcli.corpus.filters.segment import Segment
from lmcli.errors import MachineError

TEXT = "我来到北京清华大学，he said：今天天气很好！"
CUT = "我 来到 北京 清华大学，he said：今天天气 很 好！"
CODE = f"from lmcli.corpus.filters.segment import Segment; print(ascii(Segment().apply({TEXT!r})))"


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (TEXT, CUT),
        ("小明硕士毕业于中国科学院计算所\n", "小明 硕士 毕业 于 中国科学院 计算所\n"),
        ("1998年我们在上海。", "1998年 我们 在 上海。"),
        ("「我们」的 家", "「我们」的 家"),
    ],
)
def test_spaces_stand_between_words(text: str, cut: str) -> None:
    assert Segment().apply(text) == cut


@pytest.mark.parametrize(
    "text",
    ["", "我", "plain text", "Grüße, Привет", "彼は東京大学に行きました。", "我 们", "。。。", "안녕하세요 세계"],
)
def test_other_text_stays(text: str) -> None:
    assert Segment().apply(text) == text


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "_cutter", segment._cutter.__wrapped__)
    monkeypatch.setitem(sys.modules, "jieba", None)
    assert Segment().apply("needs nothing") == "needs nothing"
    with pytest.raises(MachineError, match="needs jieba") as caught:
        Segment().apply(TEXT)
    assert caught.value.hint == 'pip install "lmcli[zh]"'


def test_it_is_silent_writes_no_file_and_finds_the_same_everywhere(tmp_path: Path) -> None:
    def start(seed: int) -> subprocess.Popen[str]:
        more = {"TMPDIR": str(tmp_path), "PYTHONHASHSEED": str(seed), "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"}
        line = [sys.executable, "-W", "error", "-c", CODE]
        return subprocess.Popen(line, env={**os.environ, **more}, stdout=-1, stderr=-1, text=True)

    for process in [start(1), start(2)]:
        out, err = process.communicate(timeout=60)
        assert (out.strip(), err) == (ascii(CUT), "")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module", autouse=True)
def loaded() -> Iterator[None]:
    yield
    segment._cutter.cache_clear()


@given(st.text(st.sampled_from("我们在北京的大学𠀀龥鿿a1 。\nｶあ")) | st.text(st.characters(exclude_categories=())))
@example("\ud800我们")
@settings(deadline=None, max_examples=100)
def test_nothing_but_spaces_is_added(text: str) -> None:
    assert Segment().apply(text).replace(" ", "") == text.replace(" ", "")


def test_a_run_without_an_end_is_cut_too() -> None:
    assert Segment().apply("北京大学" * 100) == " ".join(["北京大学"] * 100)


@pytest.mark.parametrize("unit", ["a", "。", " \n", "我", "龘靐", "我们在北京。"])
def test_time_is_linear(unit: str) -> None:
    def seconds(count: int) -> float:
        text = unit * (count // len(unit))
        start = time.process_time()
        Segment().apply(text)
        return time.process_time() - start

    seconds(1000)
    assert min(seconds(10_000) for _ in range(3)) < 2.6 * min(seconds(5_000) for _ in range(3)) + 0.02
