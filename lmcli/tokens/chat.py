"""Chat templates: how messages become one text, in the language that transformers, vLLM and llama.cpp read (Jinja).

They are written beside a tokenizer and never run here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmcli.errors import ConfigError
from lmcli.tokens.special import END

FILE = "chat_template.jinja"


@dataclass(frozen=True)
class ChatTemplate:
    """`needs` are the special tokens that it writes."""

    text: str
    needs: tuple[str, ...]


TEMPLATES: Mapping[str, ChatTemplate] = {
    "chatml": ChatTemplate(
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ("<|im_start|>", "<|im_end|>"),
    ),
    "plain": ChatTemplate(
        "{% for message in messages %}"
        "{% if message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token + '\\n' }}"
        "{% else %}{{ message['role'] | capitalize + ': ' + message['content'] + '\\n' }}{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
        (END,),
    ),
}


def chosen(name: str, tokens: Sequence[str]) -> ChatTemplate | None:
    """The template that `name` means: `auto` is chatml where its tokens are special ones, and none elsewhere.

    ConfigError when the template writes special tokens that the tokenizer lacks.
    """
    if name == "none" or (name == "auto" and not set(TEMPLATES["chatml"].needs) <= set(tokens)):
        return None
    template = TEMPLATES["chatml" if name == "auto" else name]
    missing = [token for token in template.needs if token not in tokens]
    if missing:
        hint = f'add them: tokenizer.special_tokens = ["{missing[0]}", ...]'
        raise ConfigError(f"tokenizer.chat_template = {name} needs the special tokens {', '.join(missing)}", hint)
    return template
