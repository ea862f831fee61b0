from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmcli.errors import ConfigError, InputError
from lmcli.progress import Silent
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.kinds.bpe import automatic_vocab_size
from lmcli.tokens.pretokenization import SPECIFICATION
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.training import train_tokenizer
from tests.tokens.conftest import Heard, corpus, trained


def test_automatic_vocab_size_grows_slower_than_the_text() -> None:
    sizes = [automatic_vocab_size(size) for size in (0, 20_000, 1_000_000, 2_000_000, 100_000_000, 10**9, 10**12)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 512
    assert sizes[3] == 4096
    assert sizes[-1] == 32768
    assert all(size % 128 == 0 for size in sizes)


def test_the_vocabulary_has_the_wanted_size_special_tokens_included(tmp_path: Path, text: str) -> None:
    tokenizer = trained([text], tmp_path, vocab_size=700)
    assert tokenizer.vocab_size == 700
    assert (tokenizer.end_id, tokenizer.pad_id) == (698, 699)


def test_bpe_is_byte_level_with_the_pre_tokenization_of_qwen2_and_no_normalizer(bpe: Tokenizer) -> None:
    document = json.loads(bpe.path.read_text())
    assert document["pre_tokenizer"] == SPECIFICATION
    assert document["normalizer"] is None
    assert document["post_processor"] is None
    assert sum(len(token) == 1 for token in document["model"]["vocab"]) == 256


def test_a_text_too_small_for_the_vocabulary_gives_a_smaller_one_and_says_so(tmp_path: Path, heard: Heard) -> None:
    text = "the cat sat on the mat. " * 3
    report = train_tokenizer([text], len(text), TokenizerConfig(vocab_size=5000), tmp_path, heard)
    assert 258 < report.vocab_size < 300
    assert report.wanted_vocab_size == 5000
    assert Tokenizer.load(tmp_path).vocab_size == report.vocab_size
    assert any(str(report.vocab_size) in line and "5000" in line for line in heard.said)


def test_a_vocabulary_below_the_bytes_is_refused_before_any_text_is_read(tmp_path: Path) -> None:
    def unread() -> Iterator[str]:
        pytest.fail("the text was read")
        yield ""

    with pytest.raises(ConfigError, match="257"):
        train_tokenizer(unread(), 1, TokenizerConfig(vocab_size=257), tmp_path / "out", Silent())
    assert not (tmp_path / "out").exists()


def test_258_tokens_are_the_bytes_and_the_special_ones(tmp_path: Path, text: str) -> None:
    tokenizer = trained([text], tmp_path, vocab_size=258)
    assert len(tokenizer.encode("naïve")) == 6


def test_char_collects_every_character_once(tmp_path: Path) -> None:
    tokenizer = trained(["ab\n", "e\u0301\tb"], tmp_path, kind="char")
    assert tokenizer.vocab_size == len({"a", "b", "\n", "e", "\u0301", "\t", "\ufffd"}) + 2
    assert tokenizer.encode("\tab\ne\u0301") == [0, 2, 3, 1, 4, 5]


def test_char_refuses_a_vocabulary_size(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="char"):
        train_tokenizer(["ab"], 2, TokenizerConfig(kind="char", vocab_size=100), tmp_path, Silent())


@pytest.mark.parametrize("error", [InputError("bad file"), KeyboardInterrupt()])
def test_an_error_while_reading_passes_through(tmp_path: Path, error: BaseException) -> None:
    def broken() -> Iterator[str]:
        yield "some text"
        raise error

    with pytest.raises(type(error)):
        train_tokenizer(broken(), 100, TokenizerConfig(), tmp_path, Silent())


def test_a_corpus_above_the_limit_is_sampled(tmp_path: Path, text: str, heard: Heard) -> None:
    texts = [text[start : start + 2000] for start in range(0, 50_000, 2000)] * 40
    size = sum(len(part.encode()) for part in texts)
    report = train_tokenizer(texts, size, TokenizerConfig(sample_bytes=400_000), tmp_path, heard)
    assert 300_000 < report.sampled_bytes < 500_000
    assert report.text_bytes == size
    assert any("sample" in line for line in heard.said)


_PROGRAM = """
import sys
from pathlib import Path
from lmcli.progress import Silent
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.training import train_tokenizer
texts = Path(sys.argv[1]).read_text().split("\\f")
size = sum(len(text.encode()) for text in texts)
train_tokenizer(texts, size, TokenizerConfig(sample_bytes=size // 2), Path(sys.argv[2]), Silent())
"""


def test_the_same_bytes_for_any_number_of_threads_and_any_hash_seed(tmp_path: Path) -> None:
    source = tmp_path / "text"
    text = corpus(400_000)
    source.write_text("\f".join(text[start : start + 3000] for start in range(0, len(text), 3000)))
    digests = set()
    for run, (threads, seed) in enumerate([("1", "0"), ("2", "1"), ("4", "random"), ("4", "2")]):
        out = tmp_path / f"out{run}"
        environment = os.environ | {
            "TOKENIZERS_PARALLELISM": "true",
            "RAYON_NUM_THREADS": threads,
            "PYTHONHASHSEED": seed,
        }
        subprocess.run([sys.executable, "-c", _PROGRAM, source, out], check=True, env=environment)
        content = b"".join(path.read_bytes() for path in sorted(out.iterdir()))
        digests.add(hashlib.sha256(content).hexdigest())
    assert len(digests) == 1
