"""Adds ordinary tokens to a vocabulary: words of a field that the tokenizer would otherwise spell in many pieces."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmcli.errors import InputError
from lmcli.project import durable
from lmcli.tokens import endings, roles
from lmcli.tokens.adopting import with_added_tokens
from lmcli.tokens.pretokenization import byte_of_character
from lmcli.tokens.tokenizer import Tokenizer

LONGEST = 256
"""Characters of a token."""
MOST = 100_000


@dataclass(frozen=True)
class Grown:
    """`document` is the larger tokenizer.json. `spelled` gives for each new token, in the order of the new ids, the ids
    that spelled it before; `known` are those asked for that were single tokens already."""

    document: Mapping[str, Any]
    spelled: Mapping[str, Sequence[int]]
    known: Sequence[str]


def read_tokens(path: Path) -> list[str]:
    """The tokens in a file, one a line, each once; spaces count, empty lines don't.

    InputError when there are none, too many, or one that is too long, and for what is no UTF-8.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except FileNotFoundError:
        raise InputError(f"there is no file {path}", "a text file with one token a line is needed") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder", "a text file with one token a line is needed") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start})", "save the file as UTF-8") from None
    found = list(dict.fromkeys(line for line in lines if line.strip()))
    too_long = next((place for place, line in enumerate(lines, start=1) if len(line) > LONGEST), None)
    if too_long is not None:
        raise InputError(f"{path}:{too_long}: a token of more than {LONGEST} characters", "write one token a line")
    if not found or len(found) > MOST:
        raise InputError(f"{path} holds {len(found)} tokens", f"write one token a line, {MOST:,} at most")
    return found


def grow(tokenizer: Tokenizer, tokens: Sequence[str]) -> Grown:
    """The tokenizer with those of `tokens` that it doesn't have yet. All ids that it gave stay what they are."""
    ids = tokenizer.backend.get_vocab(with_added_tokens=True)
    added = {token["content"] for token in tokenizer.document.get("added_tokens") or []}
    spelled = {token: tokenizer.encode(token) for token in tokens if token not in added}
    unknown = [tokenizer.unknown_id]
    new = {token: pieces for token, pieces in spelled.items() if len(pieces) > 1 or pieces == unknown}
    document = with_added_tokens(tokenizer.document, ids, list(new), special=False)
    decoder = _decoder(document.get("decoder"), list(new))
    return Grown({**document, "decoder": decoder}, new, [token for token in tokens if token not in new])


def remark(grown: Grown) -> str | None:
    """What people should know about tokens without a space before them, in vocabularies that have it; else None."""
    bare = [token for token in grown.spelled if token[0].isascii() and token[0].isalnum()]
    if not bare or (grown.document.get("pre_tokenizer") or {}).get("type") not in ("Sequence", "ByteLevel", "Split"):
        return None
    what = f"{len(bare)} of the new tokens begin with no space ({bare[0]})"
    return f'{what}: they are found inside of words too, and a space before them stays apart; " {bare[0]}" takes it in'


def write_grown(grown: Grown, directory: Path) -> None:
    """Replace the tokenizer.json of a directory."""
    stated = endings.read(directory / "tokenizer_config.json")
    framed = roles.framed(grown.document, roles.named(grown.document, stated))
    durable.write(directory / "tokenizer.json", json.dumps(framed, indent=2, ensure_ascii=False) + "\n")


def _decoder(decoder: Any, new: Sequence[str]) -> Any:
    """A byte-level decoder takes é in an added token for the byte E9, so such tokens are spelled in its signs first."""
    found = decoder or {}
    steps: list[dict[str, Any]] = found.get("decoders") or [found]
    *before, last = steps
    if last.get("type") != "ByteLevel":
        return decoder
    table = byte_of_character()
    sign = {byte: character for character, byte in table.items()}
    mistaken = [token for token in new if not token.isascii() and all(character in table for character in token)]
    respelled = [
        {"type": "Replace", "pattern": {"String": token}, "content": "".join(sign[byte] for byte in token.encode())}
        for token in mistaken
    ]
    return {"type": "Sequence", "decoders": [*before, *respelled, last]} if respelled else decoder
