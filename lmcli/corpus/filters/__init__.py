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
        "language": "lmcli.corpus.filters.language:Language",
        "quality.length": "lmcli.corpus.filters.quality_length:Length",
        "quality.gopher": "lmcli.corpus.filters.quality_gopher:Gopher",
        "quality.repetition": "lmcli.corpus.filters.quality_repetition:Repetition",
        "quality.c4": "lmcli.corpus.filters.quality_c4:C4",
        "quality.fineweb": "lmcli.corpus.filters.quality_fineweb:FineWeb",
        "quality.perplexity": "lmcli.corpus.filters.quality_perplexity:QualityPerplexity",
    },
)


class Filter(Protocol):
    """Takes any text in linear time; the result depends on nothing else."""

    def apply(self, text: str) -> str | Drop: ...
