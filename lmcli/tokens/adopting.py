"""Takes over the tokenizer of a Hugging Face directory, or a tokenizer.json, for the text of a project."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers

from lmcli.errors import ConfigError, InputError
from lmcli.progress import Progress
from lmcli.tokens import chat, endings, roles, schema
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.directory import write_tokenizer
from lmcli.tokens.special import END, PAD, SPECIAL, special_tokens
from lmcli.tokens.tokenizer import Tokenizer, guard

FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    chat.FILE,
    "config.json",
    "generation_config.json",
)
"""What is read of a directory: the last two may be the only ones that name the end token."""
_NAMED = ("bos_token", "unk_token", "cls_token", "sep_token", "mask_token")


@dataclass(frozen=True)
class AdoptedReport:
    """`added` are special tokens that the original lacks; `left_out` names parts of its file that change ids."""

    kind: str
    vocab_size: int
    source: str
    end: str
    pad: str
    added: tuple[str, ...]
    left_out: tuple[str, ...]


def files_of(source: Path) -> list[Path]:
    """The files that are read, tokenizer.json first. InputError when there is none."""
    if source.is_file():
        return [source]
    found = [source / name for name in FILES if (source / name).is_file()]
    if not found or found[0].name != FILES[0]:
        what = "no tokenizer.json in it" if source.is_dir() else "nothing is there"
        hint = "name a directory with a tokenizer.json, or that file"
        if source.is_dir() and any(
            (source / name).is_file() for name in ("vocab.json", "tokenizer.model", "vocab.txt")
        ):
            hint = "an old format: AutoTokenizer.from_pretrained(...).save_pretrained(...) writes tokenizer.json"
        raise InputError(f"no tokenizer at {source}: {what}", hint)
    return found


def adopt(
    source: Path, label: str, config: TokenizerConfig, out: Path, progress: Progress, *, complete: bool = True
) -> AdoptedReport:
    """Write the tokenizer of `source` below `out` as a directory that this program and transformers read alike.

    Vocabulary, merges and ids stay. The post-processor, which would put special tokens around each text, truncation,
    padding and dropout are left out: models are trained here on text without them. With `complete` an end and a pad
    token that are missing or the same are added, and so are those of `config`. ArtifactError for a damaged file.
    """
    path = files_of(source)[0]
    with guard(path):
        data = path.read_bytes()
        document = schema.parse(data)
        ids = tokenizers.Tokenizer.from_str(json.dumps(document)).get_vocab(with_added_tokens=True)
        left_out = [key for key in ("truncation", "padding", "post_processor") if json.loads(data).get(key)]
        end, pad = _endings(source, ids, complete)
    added = [token for token in (end, pad) if token not in ids]
    added += _further(config, document, ids) if complete else []
    document = with_added_tokens(document, ids, added, special=True)
    template = _template(source, config, [*ids, *added])
    text = json.dumps(document, indent=2, ensure_ascii=False)
    more = _config(source, document, ids)
    if roles.named(document, more).keys() == roles.ALL:  # one is written that does what encoders need
        left_out = [key for key in left_out if key != "post_processor"]
    write_tokenizer(out, text, end=end, pad=pad, template=template, more=more)
    vocab_size = Tokenizer.load(out).vocab_size
    kind = str(document["model"].get("type", "BPE")).lower()
    report = AdoptedReport(kind, vocab_size, label, end, pad, tuple(added), tuple(left_out))
    _tell(report, progress)
    return report


def with_added_tokens(
    document: Mapping[str, Any], ids: Mapping[str, int], names: Sequence[str], *, special: bool
) -> dict[str, Any]:
    """The tokenizer.json `document`, whose vocabulary is `ids`, with more tokens on the next ids."""
    first = max(ids.values(), default=-1) + 1
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": special}
    added = [{"id": first + place, "content": name, **plain} for place, name in enumerate(names)]
    return {**document, "added_tokens": [*(document.get("added_tokens") or []), *added]}


def _endings(source: Path, ids: Mapping[str, int], complete: bool) -> tuple[str, str]:
    """The end and pad tokens: those that are stated, else ours; without `complete` the end token may fill batches.

    Raises ValueError where no token ends a document and none may be added.
    """
    end, pad = endings.end(source, ids), endings.pad(source, ids)
    if end is None or end not in ids:
        if not complete:
            raise ValueError("has no token that ends a document")
        end = END
    if pad is None or pad not in ids or (complete and pad == end):
        pad = PAD if complete else end
    return end, pad


def _further(config: TokenizerConfig, document: Mapping[str, Any], ids: Mapping[str, int]) -> list[str]:
    """The special tokens of the settings that the tokenizer lacks."""
    wanted = [
        name for name in special_tokens(config.special_tokens, config.reserved, config.sentinels) if name not in SPECIAL
    ]
    special = {token["content"] for token in document.get("added_tokens") or [] if token.get("special")}
    for name in wanted:
        if name in ids and name not in special:
            message = f"the special token {name} is an ordinary token of this vocabulary already"
            raise ConfigError(message, "choose another name for it, such as <|name|>", "tokenizer.special_tokens")
    return [name for name in wanted if name not in ids]


def _template(source: Path, config: TokenizerConfig, tokens: Sequence[str]) -> str | None:
    """The chat template: the tokenizer's own, unless the settings name another."""
    own = _own_template(source) if source.is_dir() else None
    if config.chat_template == "auto" and own is not None:
        return own
    found = chat.chosen(config.chat_template, tokens)
    return found.text if found else None


def _own_template(source: Path) -> str | None:
    if (source / chat.FILE).is_file():
        return (source / chat.FILE).read_text(encoding="utf-8")
    stated = endings.read(source / "tokenizer_config.json").get("chat_template")
    if isinstance(stated, list):
        named = {item.get("name"): item.get("template") for item in stated if isinstance(item, dict)}
        stated = named.get("default")
    return stated if isinstance(stated, str) else None


def _config(source: Path, document: Mapping[str, Any], ids: Mapping[str, int]) -> dict[str, object]:
    """What tokenizer_config.json has to say beside the end and pad tokens."""
    pre_tokenizer = document.get("pre_tokenizer") or {}
    found: dict[str, object] = {"add_prefix_space": bool(pre_tokenizer.get("add_prefix_space", False))}
    for key in _NAMED:
        token = endings.stated(source, key) if source.is_dir() else None
        if token in ids:
            found[key] = token
    unknown = document["model"].get("unk_token")
    return {"unk_token": unknown, **found} if unknown in ids else found


def _tell(report: AdoptedReport, progress: Progress) -> None:
    progress.say(f"tokenizer of {report.source}: {report.vocab_size} tokens, documents end with {report.end}")
    if report.added:
        progress.say(f"added what it lacks: {', '.join(report.added[:5])}{' ...' if len(report.added) > 5 else ''}")
    if report.left_out:
        progress.say(
            f"left out of tokenizer.json, so that a text gives its own tokens only: {', '.join(report.left_out)}"
        )
