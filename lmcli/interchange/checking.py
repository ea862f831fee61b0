"""Whether another library computes what we compute. Nothing here imports torch: tensors bring all that is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lmcli.errors import GateError

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCES = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2, "q8_0": 5e-2, "int8": 0.25}
"""How far a logit may be off, for each unit of the largest one: rounding moves all of them a little, and what is read
in another order or turned by another angle moves some of them by their whole size."""


@dataclass(frozen=True)
class Check:
    """A comparison over `tokens` positions of what `of` names: "logits", or the last "states".

    `difference` is the largest absolute one, `largest` the largest number of ours. Of logits, `agreement` is the share
    of positions with the same most likely token and `divergence` the mean of KL(ours, theirs) in nats.
    """

    of: str
    library: str
    version: str
    precision: str
    tokens: int
    difference: float
    tolerance: float
    largest: float
    agreement: float
    divergence: float

    @property
    def holds(self) -> bool:
        return self.difference <= self.tolerance

    def to_json(self) -> dict[str, Any]:
        """Rounded to what is meaningful."""
        return {
            key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in asdict(self).items()
        }

    def __str__(self) -> str:
        return in_words(self.to_json())


def in_words(check: Mapping[str, Any]) -> str:
    """A line for a comparison as the lock has it."""
    found = (
        f"{check['library']} {check['version']}: {check['of']} differ by {check['difference']:.2g} at most "
        f"({check['tolerance']:.2g} allowed) over {check['tokens']:,} tokens"
    )
    return found if check["of"] != "logits" else f"{found}, {check['agreement']:.1%} with the same most likely token"


def compare(ours: Tensor, theirs: Tensor, *, library: str, version: str, precision: str, of: str = "logits") -> Check:
    """Ours and theirs (..., v), each converted to float32. A shape that differs is a GateError."""
    if ours.shape != theirs.shape:
        raise GateError(f"{library} gives {of} of shape {list(theirs.shape)}, not {list(ours.shape)}")
    ours, theirs = ours.float().flatten(0, -2), theirs.float().flatten(0, -2)
    largest = ours.abs().max().item()
    difference = (ours - theirs).abs().max().item()
    likely, alike = ours.log_softmax(-1), theirs.log_softmax(-1)
    return Check(
        of=of,
        library=library,
        version=version,
        precision=precision,
        tokens=len(ours),
        difference=difference if difference == difference else float("inf"),  # NaN compares with nothing
        tolerance=TOLERANCES[precision] * max(1.0, largest),
        largest=largest,
        agreement=(ours.argmax(-1) == theirs.argmax(-1)).float().mean().item(),
        divergence=(likely.exp() * (likely - alike)).sum(-1).mean().item(),
    )


def require(checks: Sequence[Check], what: str) -> None:
    """GateError (exit 8) for the first comparison that fails."""
    for check in checks:
        if not check.holds:
            message = f"{what} is not published: {check.library} {check.version} computes other {check.of}"
            figures = f"they differ by {check.difference:.3g} where {check.tolerance:.3g} is allowed"
            raise GateError(f"{message}, {figures}", "please report it with the output of `lmcli env`")
