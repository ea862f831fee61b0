"""What each pattern makes of a text, that a cut at its boundaries changes nothing, and that tiktoken reads it alike."""

from __future__ import annotations

import time

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from lmcli.tokens.encoders import choose
from lmcli.tokens.patterns import PATTERNS, pattern_of, specification
from lmcli.tokens.pretokenization import segments
from lmcli.tokens.tokenizer import Tokenizer
from tests.tokens.conftest import corpus, trained

CHINESE = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"
CODE = "class HTTPServer:\n    def getName2(self, my_id=10):\n\n        return self._x # it's\n"
SIGNS = st.sampled_from(
    [
        *"abAS'sd1٣.,!-_\n\r\t中文字，。é\u0301\u00a0\u3000\x85\x1c\u200b\U0001f600ſǅ〇ひ한\ue000",
        "'re",
        " \n",
        "\r\n",
        "  ",
        "HTTPServer",
    ]
)
TEXT = st.lists(SIGNS, max_size=60).map("".join)


def cut(name: str, text: str) -> list[str]:
    split = pre_tokenizers.Split(Regex(PATTERNS[name].regex), "isolated")
    return [piece for piece, _ in split.pre_tokenize_str(text)]


@pytest.fixture(scope="module", params=PATTERNS)
def of_pattern(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Tokenizer]:
    text = corpus(30_000) + CHINESE * 20 + CODE * 20 + "12345 678 90\n" * 20
    return request.param, trained([text], tmp_path_factory.mktemp(request.param), vocab_size=600, pattern=request.param)


@pytest.mark.parametrize(
    ("name", "text", "pieces"),
    [
        ("qwen2", "x 1234567", ["x", " ", *"1234567"]),
        ("gpt2", "x 1234567", ["x", " 1234567"]),
        ("gpt4", "x 1234567", ["x", " ", "12", "34", "56", "7"]),
        ("gpt4", "1234567", ["12", "34", "56", "7"]),
        ("zh", "x 1234567", ["x", " ", *"1234567"]),
        ("code", "x 1234567", ["x", " ", *"1234567"]),
        ("qwen2", CHINESE[:12], ["床前明月光", "，疑是地上霜", "。"]),
        ("gpt4", CHINESE[:12], ["床前明月光", "，疑是地上霜", "。"]),
        ("zh", CHINESE[:12], ["床前明月", "光", "，", "疑是地上", "霜", "。"]),
        ("zh", "Qwen模型 ひらがな", ["Qwen", "模型", " ひらがな"]),
        ("gpt2", "It's we'LL\n\n x", ["It", "'s", " we", "'", "LL", "\n\n", " x"]),
        ("gpt4", "It's we'LL\n\n x", ["It", "'s", " we", "'LL", "\n\n", " x"]),
        ("code", "HTTPServer getName2 ÉTÉ iOS", ["HTTP", "Server", " get", "Name", "2", " ÉTÉ", " i", "OS"]),
        ("code", "my_long_id.x()", ["my", "_long", "_id", ".x", "()"]),
        ("code", "f():\n        return", ["f", "():", "\n        ", "return"]),
        ("code", "a\n\n    \n\tb", ["a", "\n\n    \n\t", "b"]),
        ("code", "a = 1  # b", ["a", " =", " ", "1", " ", " #", " b"]),
    ],
)
def test_pieces(name: str, text: str, pieces: list[str]) -> None:
    assert cut(name, text) == pieces


@pytest.mark.parametrize("name", PATTERNS)
@settings(deadline=None, max_examples=50)
@given(text=TEXT)
def test_every_character_is_in_a_piece_and_python_cuts_alike(name: str, text: str) -> None:
    pieces = cut(name, text)
    assert "".join(pieces) == text
    if "\x1c" not in text:  # white space to Python's module, none to the others
        assert regex.findall(PATTERNS[name].regex, text, regex.VERSION1) == pieces


@settings(deadline=None, max_examples=100)
@given(text=TEXT, size=st.integers(1, 6))
def test_segments_have_the_ids_of_the_whole(of_pattern: tuple[str, Tokenizer], text: str, size: int) -> None:
    name, tokenizer = of_pattern
    parts = list(segments(text, size, PATTERNS[name].boundary))
    assert "".join(parts) == text
    assert [token for part in parts for token in tokenizer.encode_part(part)] == tokenizer.encode_part(text)


@settings(deadline=None, max_examples=50)
@given(text=TEXT)
def test_text_comes_back_and_tiktoken_gives_the_same_ids(of_pattern: tuple[str, Tokenizer], text: str) -> None:
    name, tokenizer = of_pattern
    assert (tokenizer.unit, tokenizer.pattern) == ("bytes", PATTERNS[name].regex)
    fast = choose(tokenizer, [corpus(20_000) + CHINESE + CODE])
    assert fast.name == "tiktoken"
    assert fast.encode(text).tolist() == tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("name", PATTERNS)
def test_long_texts_are_cut_near_the_size_asked_for(name: str) -> None:
    for text in (corpus(), CHINESE * 500, CODE * 500):
        parts = list(segments(text, 1000, PATTERNS[name].boundary))
        assert max(map(len, parts)) < 1300


def test_the_pattern_of_a_file() -> None:
    for name, pattern in PATTERNS.items():
        found = pattern_of(specification(pattern.regex))
        assert found is not None
        assert found.name == name
    of_gpt2 = pattern_of({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True})
    assert of_gpt2 is PATTERNS["gpt2"]
    assert pattern_of({"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}) is None
    assert pattern_of(specification("a+")) is None
    assert pattern_of(None) is None


def test_gpt2_written_by_its_own_pre_tokenizer_cuts_as_ours() -> None:
    own = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    text = f"{corpus(20_000)}{CHINESE}{CODE}It's  12 \n\n x"
    ends = [end for _, (_, end) in own.pre_tokenize_str(text)]
    lengths = [len(piece) for piece in cut("gpt2", text)]
    assert ends == [sum(lengths[: place + 1]) for place in range(len(lengths))]


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("unit", ["a", "A", "(", " \n", " ", "中", "1", "'", "_"])
def test_time_grows_with_the_text(name: str, unit: str) -> None:
    def seconds(count: int) -> float:
        text = unit * (count // len(unit)) + "x"
        start = time.process_time()
        cut(name, text)
        return time.process_time() - start

    assert min(seconds(200_000) for _ in range(2)) < 2
