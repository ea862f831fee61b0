"""Tokenizers as the other packages use them: trained here, or from any Hugging Face directory."""

from __future__ import annotations

import codecs
import contextlib
import functools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tokenizers

from lmcli.errors import ArtifactError
from lmcli.tokens import endings, roles, schema
from lmcli.tokens.boundaries import boundary_of
from lmcli.tokens.patterns import pattern_of
from lmcli.tokens.pretokenization import SEGMENT, byte_of_character, segments
from lmcli.tokens.special import UNKNOWN

_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_PART = 1 << 20  # characters
_BYTE_TOKEN = re.compile("<0x[0-9A-F]{2}>")


class Tokenizer:
    """Text to ids and back. Special tokens are never made from text: a document that spells one keeps it as text.

    `end_id` ends a document, `pad_id` fills batches, `unknown_id` is None where every text can be encoded.
    `unit` is "bytes" or "characters" for plain byte-level BPE and for characters, which know each token's bytes, else
    None. `pattern` is the regular expression by which a byte-level tokenizer cuts text, where it is one of `patterns`.
    """

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self.document = document
        self.backend = tokenizers.Tokenizer.from_str(json.dumps(document))
        self.backend.encode_special_tokens = True
        ids = self.backend.get_vocab(with_added_tokens=True)
        self.vocab_size = max(ids.values()) + 1
        end = endings.end(path.parent, ids)
        if end is None or end not in ids:
            raise ValueError("has no token that ends a document")
        self.end_id: int = ids[end]
        self.pad_id: int = ids.get(endings.pad(path.parent, ids) or end, self.end_id)
        self.unknown_id: int | None = ids.get(document["model"].get("unk_token") or "")
        self.unit = _unit(document)
        self.pattern = _pattern(document)
        self._boundary = boundary_of(document)

    @classmethod
    def load(cls, directory: Path) -> Tokenizer:
        """Read tokenizer.json and the files beside it. Whatever is wrong with them is an ArtifactError."""
        path = directory / "tokenizer.json"
        if not path.is_file():
            raise ArtifactError(f"there is no tokenizer at {path}", "a directory with a tokenizer.json is needed")
        with guard(path):
            tokenizer = cls(path, schema.parse(path.read_bytes()))
            ids = tokenizer.encode("Aé\n 1")
            if max(ids, default=0) >= tokenizer.vocab_size:
                raise ValueError("gives ids outside its vocabulary")
            tokenizer.decode(ids)
        return tokenizer

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, with no special tokens around it; lone surrogates become U+FFFD."""
        with guard(self.path):
            return [token for part in self.parts(valid_text(text)) for token in self.encode_part(part)]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    def parts(self, text: str) -> Iterator[str]:
        """Parts of a long text that can be encoded on their own, with the same ids; the whole text where unknown.

        Words of more than a million characters are cut: memory grows with the longest word.
        """
        if self.unit == "characters":
            return (text[start : start + SEGMENT] for start in range(0, max(1, len(text)), SEGMENT))
        if self._boundary is None:
            return iter((text,))
        return segments(text, SEGMENT, self._boundary, _LONGEST_PART)

    def encode_part(self, text: str) -> list[int]:
        """The ids of a text that is no longer cut, by the `tokenizers` library: the reference for every faster way."""
        ids: list[int] = self.backend.encode_batch_fast([text], add_special_tokens=False)[0].ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; special tokens stand for none, bytes that are no UTF-8 for U+FFFD."""
        with guard(self.path):
            return self.backend.decode(list(ids), skip_special_tokens=True)

    @functools.cached_property
    def token_texts(self) -> list[bytes] | None:
        """The bytes of each id, where decoding is no more than joining them; else None."""
        joins: dict[str, Callable[[str], bytes]] = {"ByteLevel": _byte_level, "Fuse": str.encode}
        respelled, last = _decoding(self.document)
        join = joins.get(last)
        if join is None:
            return None
        texts = [b""] * self.vocab_size
        special = self.special_ids
        for token, place in self.backend.get_vocab(with_added_tokens=True).items():
            texts[place] = b"" if place in special else join(respelled.get(token, token))
        return texts

    @functools.cached_property
    def token_bytes(self) -> npt.NDArray[np.int64]:
        """(vocab_size,) bytes of text that each id stands for; 0 for special tokens. Estimated for unusual decoders."""
        if self.token_texts is not None:
            return np.array([len(text) for text in self.token_texts], dtype=np.int64)
        with guard(self.path):
            return self._decoded_lengths()

    @functools.cached_property
    def special_ids(self) -> set[int]:
        """The ids that stand for no text."""
        return {place for place, token in self.backend.get_added_tokens_decoder().items() if token.special}

    @functools.cached_property
    def roles(self) -> dict[str, int]:
        """The ids of the tokens that encoders need, under cls_token, sep_token and mask_token; those that are there."""
        ids = self.backend.get_vocab(with_added_tokens=True)
        stated = {role: endings.stated(self.path.parent, role) for role in roles.ALL}
        return {role: ids[token] for role, token in roles.named(self.document, stated).items()}

    def _decoded_lengths(self) -> npt.NDArray[np.int64]:
        """What a second copy adds to the decoded text of a first one: decoders treat the first token apart."""
        once = self.backend.decode_batch([[place] for place in range(self.vocab_size)], skip_special_tokens=True)
        twice = self.backend.decode_batch([[place] * 2 for place in range(self.vocab_size)], skip_special_tokens=True)
        lengths = [len(two.encode()) - len(one.encode()) for one, two in zip(once, twice, strict=True)]
        for token, place in self.backend.get_vocab(with_added_tokens=True).items():
            if _BYTE_TOKEN.fullmatch(token):
                lengths[place] = 1
        return np.maximum(np.array(lengths, dtype=np.int64), 0)


def _unit(document: dict[str, Any]) -> Literal["bytes", "characters"] | None:
    """What the structure tells: plain byte-level BPE over one of `patterns`, or characters; None for others."""
    model, decoder = document["model"], (document.get("decoder") or {}).get("type")
    odd = (
        document.get("normalizer"),
        *(model.get(key) for key in ("continuing_subword_prefix", "end_of_word_suffix", "byte_fallback")),
        *(model.get(key) for key in ("ignore_merges", "fuse_unk")),
        *(token for token in document.get("added_tokens") or [] if not token.get("special")),
    )
    if model.get("type") != "BPE" or any(odd):
        return None
    pre_tokenizer = document.get("pre_tokenizer")
    if pattern_of(pre_tokenizer) and decoder == "ByteLevel" and byte_of_character().keys() <= model["vocab"].keys():
        return "bytes"
    characters = not model["merges"] and all(len(token) == 1 for token in model["vocab"])
    plain = pre_tokenizer is None and decoder == "Fuse" and model.get("unk_token") == UNKNOWN
    return "characters" if characters and plain and UNKNOWN in model["vocab"] else None


def _pattern(document: dict[str, Any]) -> str | None:
    found = pattern_of(document.get("pre_tokenizer"))
    return found.regex if found and not document.get("normalizer") else None


def _decoding(document: dict[str, Any]) -> tuple[dict[str, str], str]:
    """The added tokens that the decoder spells anew, and the type of its last step; "" where it does other things."""
    decoder = document.get("decoder") or {}
    steps = decoder.get("decoders") if decoder.get("type") == "Sequence" else [decoder]
    if not steps:
        return {}, ""
    added = {token["content"] for token in document.get("added_tokens") or []}
    respelled = {
        step["pattern"]["String"]: step["content"]
        for step in steps[:-1]
        if step.get("type") == "Replace" and step["pattern"].get("String") in added
    }
    return (respelled, steps[-1].get("type", "")) if len(respelled) == len(steps) - 1 else ({}, "")


def _byte_level(token: str) -> bytes:
    table = byte_of_character()
    return bytes(table[sign] for sign in token) if all(sign in table for sign in token) else token.encode()


def valid_text(text: str) -> str:
    """`text` with lone surrogates (from a command line or JSON escapes) replaced by U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub(UNKNOWN, text)


@contextlib.contextmanager
def guard(path: Path) -> Iterator[None]:
    """Turns what the tokenizer's code raises, its Rust panics too, into an ArtifactError that names the file."""
    try:
        yield
    except (ArtifactError, OSError, MemoryError):
        raise
    except BaseException as error:
        # A PanicException is a BaseException, so that it isn't caught by accident, and has no importable name.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(
            f"{path} can't be used: {reason:.200}", "make the tokenizer again, or copy the whole directory again"
        ) from None


class StreamDecoder:
    """Turns ids into text one by one; gives complete characters only. All it gives, joined, is `decode` of all ids."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._bytes = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._given: list[int] = []  # what the last text came from: some decoders look at the token before
        self._pending: list[int] = []

    def push(self, token: int) -> str:
        texts = self._tokenizer.token_texts
        if texts is not None:
            return self._bytes.decode(texts[token] if token < len(texts) else b"")
        self._pending.append(token)
        text = self._fresh()
        if not text or text.endswith(UNKNOWN):
            return ""
        self._given, self._pending = self._pending, []
        return text

    def flush(self) -> str:
        """What is left at the end: bytes that never became a character, as U+FFFD."""
        text = self._fresh()
        self._given, self._pending = [], []
        return text + self._bytes.decode(b"", final=True)

    def _fresh(self) -> str:
        known = self._tokenizer.decode(self._given)
        return self._tokenizer.decode(self._given + self._pending)[len(known) :]
