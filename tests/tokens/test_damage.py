"""Whatever a tokenizer.json holds: it loads and works, or it is an ArtifactError that names a file."""

from __future__ import annotations

import copy
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from lmcli.errors import ArtifactError
from lmcli.tokens.tokenizer import Tokenizer
from tests.tokens.conftest import trained


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("small")
    trained(["the cat sat on the mat, the cat sat"], directory)
    return directory


@pytest.fixture
def damaged(small: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small, tmp_path / "damaged")


def _try(directory: Path) -> bool:
    """Whether it loads; then it has to work too."""
    try:
        tokenizer = Tokenizer.load(directory)
        tokenizer.decode(tokenizer.encode("the cat <|endoftext|> 12 é中"))
        assert len(tokenizer.token_bytes) == tokenizer.vocab_size
    except ArtifactError as error:
        assert str(directory) in error.message
        assert "\n" not in error.message
        return False
    return True


def test_a_missing_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no tokenizer"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_truncated_file_is_refused(damaged: Path, name: str) -> None:
    data = (damaged / name).read_bytes().rstrip()
    for size in range(0, len(data), max(1, len(data) // 60)):
        (damaged / name).write_bytes(data[:size])
        assert not _try(damaged)


@pytest.mark.parametrize("content", [b"[]", b"null", b"1", b'"x"', b"[" * 100_000, b"\xff\xfe", b"NaN"])
@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_other_content_is_refused(damaged: Path, name: str, content: bytes) -> None:
    (damaged / name).write_bytes(content)
    assert not _try(damaged)


def _mutations(data: bytes, count: int) -> list[bytes]:
    chance = random.Random(0)
    mutated = []
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(changed))
            match chance.randrange(3):
                case 0:
                    changed[place] ^= 1 << chance.randrange(8)
                case 1:
                    del changed[place : place + chance.randint(1, 20)]
                case 2:
                    changed[place:place] = chance.choice([b"0", b"-1", b'"', b"{}", b"null", b"9" * 40, b"[]", b","])
        mutated.append(bytes(changed))
    return mutated


@pytest.mark.parametrize("count", [300, pytest.param(5000, marks=pytest.mark.slow)])
def test_mutated_files_load_or_are_refused(damaged: Path, capfd: pytest.CaptureFixture[str], count: int) -> None:
    path = damaged / "tokenizer.json"
    outcomes = []
    for data in _mutations(path.read_bytes(), count):
        path.write_bytes(data)
        outcomes.append(_try(damaged))
    assert False in outcomes
    assert "panicked" not in capfd.readouterr().err


def _replace(document: dict[str, Any], place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(document)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return changed


REFUSED = [
    (("model", "merges"), [["the", "cat"]]),
    (("model", "merges"), ["t h e"]),
    (("model", "merges"), [["t", 1]]),
    (("model", "vocab"), {}),
    (("model", "vocab"), None),
    (("model", "vocab", "!"), -1),
    (("model", "vocab", "!"), True),
    (("model", "vocab", "!"), 10**30),
    (("model", "vocab", "!"), 5),
    (("model", "type"), "Pickle"),
    (("model",), []),
    (("added_tokens", 0, "id"), "x"),
    (("added_tokens", 0, "content"), ""),
    (("added_tokens",), {}),
    (("pre_tokenizer",), {"type": "FixedLength", "length": 0}),
    (("pre_tokenizer",), {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}),
    (("decoder",), {"type": "Strip", "content": "t", "start": 1, "stop": 1}),
    (("normalizer",), {"type": "Precompiled", "precompiled_charsmap": "!!"}),
    (("normalizer",), {"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
]
HARMLESS = [
    (("truncation",), {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 9}),
    (
        ("post_processor",),
        {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [],
            "special_tokens": {},
        },
    ),
    (("model", "dropout"), 0.9),
]


@pytest.mark.parametrize(("place", "value"), REFUSED)
def test_what_makes_the_library_panic_is_refused(damaged: Path, place: tuple[str | int, ...], value: Any) -> None:
    path = damaged / "tokenizer.json"
    path.write_text(json.dumps(_replace(json.loads(path.read_text()), place, value)))
    assert not _try(damaged)


@pytest.mark.parametrize(("place", "value"), HARMLESS)
def test_what_is_not_used_can_do_no_harm(damaged: Path, place: tuple[str | int, ...], value: Any) -> None:
    text = "the cat sat"
    expected = Tokenizer.load(damaged).encode(text)
    path = damaged / "tokenizer.json"
    path.write_text(json.dumps(_replace(json.loads(path.read_text()), place, value)))
    assert Tokenizer.load(damaged).encode(text) == expected
