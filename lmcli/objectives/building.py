"""From the settings of `train.objective` to what the loop trains for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lmcli.config import decode, name_of
from lmcli.errors import ConfigError
from lmcli.models.families import FAMILIES
from lmcli.models.model import Kind, Model
from lmcli.objectives import OBJECTIVES
from lmcli.objectives.mixed import Mixed
from lmcli.objectives.objective import WindowObjective
from lmcli.objectives.setup import Setup
from lmcli.objectives.source_to_target import SourceToTarget
from lmcli.objectives.supervised import Supervised
from lmcli.tokens.tokenizer import Tokenizer


def objective_for(family: type[Model], name: str, settings: Sequence[Any], setup: Setup) -> WindowObjective:
    """One objective, or a mixture of several; what the family `name` is for where there are none.

    Raises ConfigError when the family is not of a kind that can be trained so, or lacks an output layer for it.
    """
    chosen = settings or [decode(OBJECTIVES.load(family.objective), {})]
    names = [name_of(OBJECTIVES, item) for item in chosen]
    twice = next((item for place, item in enumerate(names) if item in names[:place]), None)
    if twice:
        raise ConfigError(f"train.objective names {twice} twice", "give it once, with another weight")
    built: list[WindowObjective] = [item.build(replace(setup, kind=family.kind)) for item in chosen]
    result = built[0]
    if len(built) > 1:
        result = Mixed(dict(zip(names, built, strict=True)), [item.weight for item in chosen])
    if family.kind not in result.needs:
        needs = " or ".join(result.needs)
        message = f"the objective {' with '.join(names)} needs a model that is a {needs}"
        raise ConfigError(f"{message}, and {name} is a {family.kind}", "set model.family or train.objective")
    if result.looks_right and family.one_way:
        message = f"the objective {' with '.join(names)} has positions see what stands to their right"
        raise ConfigError(f"{message}, and {name} reads from left to right only", "take a family with attention")
    _check_heads(family, name, " with ".join(names), result)
    return result


def _check_heads(family: type[Model], name: str, objective: str, built: WindowObjective) -> None:
    lacking = built.heads - family.heads
    if lacking:
        able = [other for other in FAMILIES if built.heads <= FAMILIES.load(other).heads]
        message = f"the objective {objective} needs an output layer for {' and '.join(sorted(lacking))}"
        hint = f"take another objective, or a family that has it: {', '.join(able) or 'there is none'}"
        raise ConfigError(f"{message}, and {name} has none", hint)


def supervised_for(kind: Kind, tokenizer: Tokenizer, label_smoothing: float = 0.0) -> Supervised:
    """What a model of this kind learns from rows; ConfigError for one that writes nothing."""
    if kind == "encoder-decoder":
        return SourceToTarget(tokenizer.end_id, tokenizer.pad_id, label_smoothing)
    if kind not in Supervised.needs:
        needs = " or an ".join((*Supervised.needs, *SourceToTarget.needs))
        raise ConfigError(f"completions are learned by a {needs}, and this model is an {kind}", "take another base")
    return Supervised(tokenizer.end_id, label_smoothing)
