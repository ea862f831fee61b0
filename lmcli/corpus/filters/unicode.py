"""Text that was decoded wrongly somewhere on its way, and characters that nobody can see."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING, Annotated, Literal

from lmcli.config import section

if TYPE_CHECKING:
    import ftfy

# Control characters other than tab, newline, form feed and return; deprecated format characters; byte-order marks.
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]")

# Bytes read in a one-byte encoding give characters in these ranges only; ftfy's own test is a hundred times as slow.
_ONE_BYTE = re.compile("[\x80-\u052f\u2000-\u25ff]")


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
        from ftfy import fixes  # 0.1 s: not before a text is cleaned

        ascii_only = text.isascii()
        if not ascii_only:
            text = self._decoded_again(text)
        text = _CONTROL.sub("", fixes.remove_terminal_escapes(text))
        # Last, for what stood on both sides of a control character may now be one letter.
        return text if ascii_only or self.form == "none" else unicodedata.normalize(self.form, text)

    def _decoded_again(self, text: str) -> str:
        from ftfy import fixes

        if self.mojibake and _ONE_BYTE.search(text):
            # Line by line, as ftfy does: one wrong line says nothing about the others.
            text = "\n".join(map(_repaired, text.split("\n")))
        return fixes.fix_c1_controls(text)


def _repaired(line: str) -> str:
    import ftfy
    from ftfy.badness import is_bad

    suspect = not line.isascii() and _ONE_BYTE.search(line) and is_bad(line)
    return ftfy.fix_encoding(line, _config()) if suspect else line


@functools.cache
def _config() -> ftfy.TextFixerConfig:
    import ftfy

    return ftfy.TextFixerConfig(explain=False)
