"""Newlines and the empty space at the ends of lines and texts."""

from __future__ import annotations

import re
from typing import Annotated

from annotated_types import Ge

from lmcli.config import section

_LINE_END = re.compile(r"\r\n?")


@section
class Whitespace:
    """Ends lines with \\n; cuts space at line ends and blank lines in excess or around the text. Indentation stays."""

    blank_lines: Annotated[int, "at most this many blank lines in a row", Ge(0)] = 1

    def apply(self, text: str) -> str:
        kept: list[str] = []
        blank = 0
        # rstrip on each line is linear; a regular expression for "spaces before a newline" is not.
        for line in (line.rstrip() for line in _LINE_END.sub("\n", text).split("\n")):
            blank = 0 if line else blank + 1
            if line or (kept and blank <= self.blank_lines):
                kept.append(line)
        while kept and not kept[-1]:
            kept.pop()
        return "\n".join(kept)
