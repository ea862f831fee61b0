"""What documents go through in `clean`: each filter is a `@section` with an `apply`, in a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lmcli.registry import Registry

if TYPE_CHECKING:
    from lmcli.corpus.documents import Drop

FILTERS = Registry(
    "filter",
    {
        "unicode": "lmcli.corpus.filters.unicode:Unicode",
        "html": "lmcli.corpus.filters.html:Html",
        "whitespace": "lmcli.corpus.filters.whitespace:Whitespace",
    },
)


class Filter(Protocol):
    """Takes any text in linear time; the result depends on nothing else."""

    def apply(self, text: str) -> str | Drop: ...
