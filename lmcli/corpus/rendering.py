"""Rows of conversations and instructions as plain text, for training on it like on any other.

Three shapes are known by their keys, and all come out as turns with an empty line between them:

    messages or conversations        User: What is two and two?
    [{role, content}] or
    [{from, value}]                  Assistant: Four.

    instruction, input, output       User: INSTRUCTION and, if there is one, an empty line and INPUT
                                     Assistant: OUTPUT

`prompt` and `completion` are put one after the other with nothing in between, as fine-tuning reads them; where they are
lists of messages they are turns like the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HINT = "make text of conversations and instructions with --render chat"

_TURNS = ("messages", "conversations", "conversation", "dialog")
_ASKED = ("instruction", "question")
_CONTEXT = ("input", "context")
_ANSWER = ("output", "response", "answer")
_NAMES = {"user": "User", "human": "User", "assistant": "Assistant", "gpt": "Assistant", "model": "Assistant"}

KEYS = (*_TURNS, "prompt", "completion", *_ASKED, *_CONTEXT, *_ANSWER)


class NotRenderedError(ValueError):
    """A row that has the keys of a conversation, and something else in them; the message says what."""


def is_chat(names: Any) -> bool:
    """Whether a row with these keys, or a table with these columns, can be rendered."""
    turns = any(key in names for key in _TURNS)
    asked = any(key in names for key in _ASKED) and any(key in names for key in _ANSWER)
    return turns or asked or ("prompt" in names and "completion" in names)


def render(row: Mapping[str, Any]) -> tuple[str, str]:
    """What is asked and what is answered; one after the other they are the text of the row.

    The answer is the last turn if it is the assistant's; else all is one text and nothing is asked. Raises
    NotRenderedError for a row that is of no known shape.
    """
    key = next((key for key in _TURNS if key in row), None)
    if key is not None:
        return _conversation(_turns(row[key], key))
    if "prompt" in row and "completion" in row:
        return _pair(row["prompt"], row["completion"])
    asked = next((key for key in _ASKED if key in row), None)
    answer = next((key for key in _ANSWER if key in row), None)
    if asked is None or answer is None:
        raise NotRenderedError("neither a text nor a conversation")
    context = next((key for key in _CONTEXT if row.get(key)), None)
    question = "\n\n".join(_string(row[key], key) for key in (asked, context) if key)
    return _conversation([("User", question), ("Assistant", _string(row[answer], answer))])


def _pair(prompt: Any, completion: Any) -> tuple[str, str]:
    if isinstance(prompt, str) and isinstance(completion, str):
        return prompt, completion
    return _conversation([*_turns(prompt, "prompt"), *_turns(completion, "completion")])


def _conversation(turns: list[tuple[str, str]]) -> tuple[str, str]:
    texts = [f"{name}: {text}" for name, text in turns]
    if turns[-1][0] != "Assistant":
        return "", "\n\n".join(texts)
    return "\n\n".join([*texts[:-1], "Assistant: "]), turns[-1][1]


def _turns(value: Any, key: str) -> list[tuple[str, str]]:
    """Who speaks and what is said, in order."""
    if not isinstance(value, list) or not value:
        raise NotRenderedError(f"{key} is no list of messages")
    return [_turn(item, f"{key}[{number}]") for number, item in enumerate(value)]


def _turn(item: Any, place: str) -> tuple[str, str]:
    if not isinstance(item, Mapping):
        raise NotRenderedError(f"{place} is no object with role and content")
    role_key, text_key = ("role", "content") if "role" in item else ("from", "value")
    role = _string(item.get(role_key), f"{place}.{role_key}")
    text = item.get(text_key)
    if isinstance(text, list):  # parts, of which only text can become text
        text = "".join(_part(part, f"{place}.{text_key}") for part in text)
    return _NAMES.get(role, role[:1].upper() + role[1:]), _string(text, f"{place}.{text_key}")


def _part(part: Any, place: str) -> str:
    if not isinstance(part, Mapping) or part.get("type") != "text":
        raise NotRenderedError(f"{place} has a part that is no text")
    return _string(part.get("text"), f"{place}.text")


def _string(value: Any, place: str) -> str:
    if not isinstance(value, str):
        what = "null" if value is None else f"a {type(value).__name__}"
        raise NotRenderedError(f"{place} is {what}, not a string")
    return value
