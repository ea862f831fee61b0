"""Chinese text with spaces between its words."""

from __future__ import annotations

import functools
import importlib
import re
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from lmcli.config import section
from lmcli.corpus.scripts import script
from lmcli.errors import MachineError

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"

_RUN = re.compile(f"[{_HAN}]{{2,}}+")
_AT_ONCE = 200  # characters: where no word of the dictionary fits, jieba's time grows with the square of their number


@section
class Segment:
    """Puts a space between the words of Chinese text, as jieba's dictionary and model find them.

    Only runs of Chinese characters change, and Japanese documents stay as they are: their words are others. Not needed
    for training, since tokenizers learn words without it.
    """

    def apply(self, text: str) -> str:
        if text.isascii() or not _RUN.search(text) or script(text) == "Kana":
            return text
        return _RUN.sub(_spaced, text)


def _spaced(run: re.Match[str]) -> str:
    cut = _cutter()
    pieces = (run[0][place : place + _AT_ONCE] for place in range(0, len(run[0]), _AT_ONCE))
    return " ".join(word for piece in pieces for word in cut(piece))


@functools.cache
def _cutter() -> Callable[[str], Iterable[str]]:
    """What cuts Chinese into words, with the dictionary of the package, read here and not by jieba.

    jieba would keep it in a file that all users and processes of the machine share, and say so on stderr.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its regular expressions have escapes that newer Pythons warn of
        try:
            jieba: Any = importlib.import_module("jieba")
        except ImportError:
            raise MachineError("finding Chinese words needs jieba", 'pip install "lmcli[zh]"') from None
        tokenizer = jieba.Tokenizer()
        tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    cut: Callable[[str], Iterable[str]] = tokenizer.cut
    return cut
