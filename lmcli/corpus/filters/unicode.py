"""Text that was decoded wrongly somewhere on its way, and characters that nobody can see."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Annotated, Literal

import ftfy
from ftfy import fixes
from ftfy.badness import is_bad

from lmcli.config import section

# What there is to do in pure ASCII: control characters other than tab, newline, form feed and return.
_ASCII_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")


@section
class Unicode:
    """Repairs mojibake, removes control characters and brings text to one normal form.

    Nothing that a person may have meant is changed: quotes, ligatures, full-width letters and entities stay.
    """

    form: Annotated[
        Literal["NFC", "NFKC", "none"], "normal form; NFKC also rewrites full-width letters, ligatures and ①"
    ] = "NFC"
    mojibake: Annotated[bool, "repair text that was decoded with the wrong encoding, such as donâ€™t"] = True

    def apply(self, text: str) -> str:
        if text.isascii() and not _ASCII_CONTROL.search(text):
            return text
        if self.mojibake and is_bad(text):
            # Line by line, as ftfy does: one wrong line says nothing about the others.
            text = "\n".join(_repaired(line) if is_bad(line) else line for line in text.split("\n"))
        for fix in (fixes.remove_terminal_escapes, fixes.fix_c1_controls, fixes.remove_control_chars):
            text = fix(text)
        return text if self.form == "none" else unicodedata.normalize(self.form, text)


def _repaired(line: str) -> str:
    return ftfy.fix_encoding(line, _config())


@functools.cache
def _config() -> ftfy.TextFixerConfig:
    return ftfy.TextFixerConfig(explain=False)
