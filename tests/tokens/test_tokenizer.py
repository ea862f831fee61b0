from __future__ import annotations

import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, pre_tokenizers, trainers

from lmcli.errors import ArtifactError
from lmcli.tokens.special import END, PAD
from lmcli.tokens.tokenizer import StreamDecoder, Tokenizer

SAMPLES = [
    "",
    " ",
    "It's 12345 o'clock,  \n\n\tisn't it?   ",
    "line\r\nline\rline\n",
    "e\u0301 Å \u212b ﬁ",
    "中文，你好。",
    "😀👩‍👩‍👧 \U0001faea",
    f"a {END} b{PAD}<|im_start|>",
    "\x00\x1c\u2028\u0085\ufeff\ufffd",
    "\u0378\U000323b0",  # unassigned, and assigned of late
]


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_bpe_gives_every_text_back(bpe: Tokenizer, text: str) -> None:
    ids = bpe.encode(text)
    assert bpe.decode(ids) == text
    assert int(bpe.token_bytes[ids].sum()) == len(text.encode())


def test_bpe_gives_every_character_back(bpe: Tokenizer) -> None:
    for start in range(0, 0x110000, 0x4000):
        text = "".join(map(chr, range(start, start + 0x4000, 1 if start < 0x10000 else 61)))
        text = text.encode("utf-8", "ignore").decode()
        assert bpe.decode(bpe.encode(text)) == text


@settings(deadline=None, max_examples=50)
@given(st.text(alphabet="Helo, wrd\n'(\"é中\r"))
def test_char_gives_text_of_its_alphabet_back(char: Tokenizer, text: str) -> None:
    ids = char.encode(text)
    assert len(ids) == len(text)
    assert char.decode(ids) == text
    assert int(char.token_bytes[ids].sum()) == len(text.encode())


def test_char_shows_what_it_does_not_know(char: Tokenizer) -> None:
    assert char.decode(char.encode("a語b")) == "a\ufffdb"
    assert char.encode("語") == [char.unknown_id]


@pytest.mark.parametrize("sample", SAMPLES)
def test_special_tokens_are_never_made_from_text(either: Tokenizer, sample: str) -> None:
    assert not {either.end_id, either.pad_id} & set(either.encode(sample))


def test_special_tokens_stand_for_no_text(either: Tokenizer) -> None:
    assert either.decode([either.end_id, *either.encode("x"), either.pad_id]) == "x"
    assert list(either.token_bytes[[either.end_id, either.pad_id]]) == [0, 0]
    assert either.end_id != either.pad_id
    assert len(either.token_bytes) == either.vocab_size


def test_lone_surrogates_become_the_replacement_character(bpe: Tokenizer) -> None:
    assert bpe.decode(bpe.encode("a\ud800b\udcff")) == "a\ufffdb\ufffd"


def test_a_text_of_many_segments_has_the_ids_of_one_call(either: Tokenizer, text: str) -> None:
    longer = text * 5
    assert either.encode(longer) == either.encode_part(longer)
    assert either.encode_batch([longer[:100], ""]) == [either.encode_part(longer[:100]), []]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 300), max_size=40))
def test_streamed_bytes_join_to_the_decoded_text(bpe: Tokenizer, ids: list[int]) -> None:
    stream = StreamDecoder(bpe)
    assert "".join(map(stream.push, ids)) + stream.flush() == bpe.decode(ids)


def test_a_stream_gives_complete_characters_only(bpe: Tokenizer) -> None:
    stream = StreamDecoder(bpe)
    given = [stream.push(token) for token in bpe.encode("a😀b")]
    assert given == ["a", "", "", "", "😀", "b"]
    assert stream.flush() == ""


def test_a_stream_that_ends_inside_a_character_says_so(bpe: Tokenizer) -> None:
    stream = StreamDecoder(bpe)
    ids = bpe.encode("😀")[:-1]
    assert "".join(map(stream.push, ids)) + stream.flush() == bpe.decode(ids) == "\ufffd"


def _write(directory: Path, backend: tokenizers.Tokenizer, config: dict[str, object] | None = None) -> Tokenizer:
    backend.save(str(directory / "tokenizer.json"))
    if config is not None:
        (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return Tokenizer.load(directory)


def _wordpiece() -> tokenizers.Tokenizer:
    vocab = {token: place for place, token in enumerate(["[UNK]", "[SEP]", "[PAD]", "the", "cat", "##s", "##é", "sat"])}
    backend = tokenizers.Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.decoder = decoders.WordPiece()
    backend.add_special_tokens([AddedToken(token, special=True) for token in ("[UNK]", "[SEP]", "[PAD]")])
    return backend


def _metaspace() -> tokenizers.Tokenizer:
    vocab = ["<unk>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "▁a", "▁ab", "é"]
    merges = [("▁", "a"), ("▁a", "b")]
    model = models.BPE(
        vocab={token: place for place, token in enumerate(vocab)}, merges=merges, unk_token="<unk>", byte_fallback=True
    )
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.Metaspace(), decoders.ByteFallback(), decoders.Fuse()])
    backend.add_special_tokens([AddedToken("<unk>", special=True), AddedToken("</s>", special=True)])
    return backend


def test_wordpiece_of_another_origin(tmp_path: Path) -> None:
    tokenizer = _write(tmp_path, _wordpiece(), {"sep_token": "[SEP]", "pad_token": {"content": "[PAD]"}})
    assert (tokenizer.end_id, tokenizer.pad_id, tokenizer.unknown_id, tokenizer.unit) == (1, 2, 0, None)
    ids = tokenizer.encode("the cats sat")
    assert ids == [3, 4, 5, 7]
    assert list(tokenizer.token_bytes[ids]) == [4, 4, 1, 4]
    stream = StreamDecoder(tokenizer)
    assert [stream.push(token) for token in ids] == ["the", " cat", "s", " sat"]


@settings(deadline=None, max_examples=30)
@given(text=st.text(alphabet="ab é中😀", max_size=12))
def test_byte_fallback_of_another_origin(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    tokenizer = _write(tmp_path_factory.mktemp("metaspace"), _metaspace())
    assert tokenizer.end_id == tokenizer.pad_id == 1
    ids = tokenizer.encode(text)
    stream = StreamDecoder(tokenizer)
    given = [stream.push(token) for token in ids]
    assert "".join(given) + stream.flush() == tokenizer.decode(ids)
    assert all("\ufffd" not in part for part in given)
    assert int(tokenizer.token_bytes[ids].sum()) == len(text.encode()) + (not text.startswith(" ") and text != "")


def test_unigram_truncation_padding_and_added_ends_do_not_matter(tmp_path: Path) -> None:
    backend = tokenizers.Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=60, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False
    )
    backend.train_from_iterator(["some words and some more words, again and again"] * 20, trainer)
    backend.enable_truncation(3)
    backend.enable_padding(length=50)
    backend.post_processor = tokenizers.processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = _write(tmp_path, backend)
    text = "some more words and again"
    assert tokenizer.end_id == 1
    assert tokenizer.end_id not in tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("name", ["generation_config.json", "config.json"])
def test_the_end_is_found_by_its_id(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps({"eos_token_id": [4, 1], "pad_token_id": 2}))
    tokenizer = _write(tmp_path, _wordpiece(), {})
    assert (tokenizer.end_id, tokenizer.pad_id) == (4, 2)


def test_the_end_must_be_in_the_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no token that ends a document"):
        _write(tmp_path, _wordpiece(), {"eos_token": "</s>"})
