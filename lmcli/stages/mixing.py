"""The mixture that [clean] asks for, made of the training side while it is encoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lmcli.corpus.mixture import Mixture, Share, describe, parts, plan, written
from lmcli.corpus.splits import Piece
from lmcli.stages import cleaning, text
from lmcli.stages.kind import Request

if TYPE_CHECKING:
    from lmcli.stages.splitting import Divided
    from lmcli.tokens.tokenizer import Tokenizer


def mixture_of(request: Request) -> dict[str, Any]:
    """{"mixture": {by, shares, max_repeats}} where the text comes from a cleaned mixture; else nothing."""
    if not text.reads_clean(request):
        return {}
    return cleaning.mixture_of(request.resolved["clean"].sections["clean"])


@dataclass
class Mixed:
    """The divided text with the training documents as often as the mixture wants them."""

    divided: Divided
    mixture: Mixture
    planned: Mapping[str, Share]
    tokens_per_byte: Mapping[str, float]
    _bytes: Counter[str] = field(default_factory=Counter)
    _documents: Counter[str] = field(default_factory=Counter)

    def pieces(self) -> Iterator[Piece]:
        """Each call reads the text anew; it may be called once."""
        for piece in written(self.divided.pieces(), self.mixture, self.planned):
            if piece.side == "train":
                name = self.mixture.name_of(piece)
                self._bytes[name] += len(piece.text.encode())
                self._documents[name] += piece.ends_document
            yield piece

    def shares(self) -> dict[str, Share]:
        """What came of the plan, once all pieces are written."""
        tokens = {name: self._bytes[name] * rate + self._documents[name] for name, rate in self.tokens_per_byte.items()}
        total = sum(tokens.values()) or 1
        return {name: replace(share, reached=tokens[name] / total) for name, share in self.planned.items()}

    def report(self) -> dict[str, Any]:
        return {"by": self.mixture.by, "shares": {name: asdict(share) for name, share in self.shares().items()}}

    def describe(self) -> list[str]:
        return describe(self.mixture, self.shares())


def mix(divided: Divided, mixture: Mixture, tokenizer: Tokenizer) -> Mixed:
    """Count and sample the parts of the training side in a pass of its own, and plan how often each is written."""
    from lmcli.tokens.encoders import choose

    found = parts(divided.pieces(), mixture)
    encoder = choose(tokenizer, [sample for part in found.values() for sample in part.sample])
    rates = {}
    for name, part in found.items():
        sampled = sum(len(sample.encode()) for sample in part.sample)
        rates[name] = len(encoder.encode_all(part.sample)[0]) / sampled if sampled else 0.0
    documents = {name: part.documents for name, part in found.items()}
    tokens = {name: part.bytes * rates[name] + part.documents for name, part in found.items()}
    return Mixed(divided, mixture, plan(mixture, tokens, documents), rates)
