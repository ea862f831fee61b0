"""The text of a project, read once to be counted and again, split into sides, as often as it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lmcli.corpus.documents import Document
from lmcli.corpus.leakage import Leakage
from lmcli.corpus.reading import read
from lmcli.corpus.splits import Census, Kind, Piece, census, pieces
from lmcli.corpus.tally import Tally
from lmcli.project.stage import Work
from lmcli.stages import text
from lmcli.stages.kind import Request
from lmcli.tokens.config import TokensConfig


@dataclass(frozen=True)
class Divided:
    """Text with its split decided; every call reads it anew, so that memory doesn't grow with the corpus."""

    documents: Callable[[], Iterator[Document]]
    census: Census
    kind: Kind

    @property
    def bytes(self) -> int:
        """UTF-8 bytes of all documents."""
        return self.census.bytes

    def describe(self) -> str:
        """What goes to validation, how much and why, in a line."""
        return self.census.plan(self.kind).describe()

    def leakage(self) -> Leakage | None:
        """What looks for the validation text in the training text; None for a split that isn't by hash."""
        units = self.census.held_out(self.census.plan(self.kind))
        return Leakage(units) if units else None

    def pieces(self) -> Iterator[Piece]:
        return pieces(self.documents(), self.census, self.kind)

    def training_bytes(self, *, both_sides: bool) -> int:
        """About how many bytes `texts` gives: the share of the characters stands for that of the bytes."""
        plan = self.census.plan(self.kind)
        return self.bytes if both_sides else round(self.bytes * (1 - plan.validation_characters / plan.characters))

    def texts(self, *, both_sides: bool) -> Iterator[str]:
        """The texts that a tokenizer may learn from: the training side, or both."""
        return (piece.text for piece in self.pieces() if both_sides or piece.side == "train")


def split(request: Request, work: Work) -> Divided:
    """The text that the stage reads, divided as [tokens] says."""
    config: TokensConfig = request.section("tokens")
    documents = _documents(request, work, config)
    return Divided(documents, census(documents()), config.split)


def _documents(request: Request, work: Work, config: TokensConfig) -> Callable[[], Iterator[Document]]:
    if "clean" in work.inputs:
        from lmcli.corpus.cleaning import read_clean

        directory = work.inputs["clean"]
        return lambda: read_clean(directory)
    sources = text.resolve(request.section("project").inputs, work.root, config.format)
    return lambda: read(sources, config, work.progress, Tally())
