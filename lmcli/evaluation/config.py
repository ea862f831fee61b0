"""Settings of `lmcli eval`."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge

from lmcli.config import Flag, OwnedList, Unkeyed, section
from lmcli.corpus.config import ReadingConfig
from lmcli.evaluation.metrics import METRICS
from lmcli.models.config import ComputeConfig


@section
class EvalConfig(ReadingConfig, ComputeConfig):
    """Likelihood of any text; rows with a completion are also generated for, greedily, and compared."""

    data: Annotated[str, "file or folder to evaluate on; empty takes the validation side of the tokens", Flag()] = ""
    model: Annotated[str, "name or path of the model; empty takes the project's default", Flag()] = ""
    metrics: Annotated[
        tuple[Any, ...],
        "how to compare generated text with references: bleu, chrf, rouge, exact; none stands for all of them",
        Flag("--metric"),
        OwnedList(METRICS),
    ] = ()
    limit: Annotated[int, "rows to generate for, chosen by the seed; 0 takes all", Flag(), Ge(0)] = 200
    max_tokens: Annotated[int, "longest completion to generate", Flag(), Ge(1)] = 128
    batch: Annotated[int, "windows or prompts computed at once", Flag(), Ge(1)] = 16
    seed: Annotated[int, "chooses the rows and the resamples of the intervals", Flag(), Ge(0)] = 0
    gates: Annotated[
        tuple[str, ...], 'conditions that must hold, else exit code 8: "bpb<2.2"', Flag("--assert"), Unkeyed()
    ] = ()
