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
        "symbols": "lmcli.corpus.filters.symbols:Symbols",
        "boilerplate": "lmcli.corpus.filters.boilerplate:Boilerplate",
        "urls": "lmcli.corpus.filters.urls:Urls",
        "pii": "lmcli.corpus.filters.pii:Pii",
        "segment": "lmcli.corpus.filters.segment:Segment",
        "language": "lmcli.corpus.filters.language:Language",
        "decontaminate": "lmcli.corpus.filters.decontaminate:Decontaminate",
        "stopwords": "lmcli.corpus.filters.stopwords:Stopwords",
        "quality.length": "lmcli.corpus.filters.quality_length:Length",
        "quality.gopher": "lmcli.corpus.filters.quality_gopher:Gopher",
        "quality.repetition": "lmcli.corpus.filters.quality_repetition:Repetition",
        "quality.c4": "lmcli.corpus.filters.quality_c4:C4",
        "quality.fineweb": "lmcli.corpus.filters.quality_fineweb:FineWeb",
        "quality.perplexity": "lmcli.corpus.filters.quality_perplexity:QualityPerplexity",
    },
)


class Filter(Protocol):
    """Takes any text in linear time; the result depends on nothing else.

    A filter that reads files has two more members: `inputs`, a property with the files as lmcli.toml names them (they
    are inputs of the stage, so that a changed file makes its artifact stale), and `rooted(root: Path) -> Self`, the
    filter for the files below the project's root. A filter that needs what corpus/ can't import has
    `bound(tools: Mapping[str, Any]) -> Self`. What workers get is the filter that these return, which is pickled.
    """

    def apply(self, text: str) -> str | Drop: ...
