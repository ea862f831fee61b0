"""A section of settings with every kind of field, for tests of what is derived from sections."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from lmcli.config import Flag, Owned, OwnedList, Unkeyed, section
from lmcli.registry import Registry

RULES = Registry("rule", {"plain": "tests.toy_sections:Plain", "heavy": "tests.toy_sections:Heavy"})


@section
class Plain:
    rate: Annotated[float, "how fast", Gt(0)] = 0.1


@section
class Heavy:
    rate: Annotated[float, "how fast", Gt(0)] = 0.2
    momentum: Annotated[float, "how much is kept", Ge(0), Lt(1)] = 0.9
    betas: Annotated[tuple[float, float], "two averages"] = (0.9, 0.99)


@section
class Toy:
    steps: Annotated[int, "how many steps", Flag(), Ge(1)] = 10
    width: Annotated[Literal["auto"] | Annotated[int, Ge(8)], "how wide; auto is 8", Flag()] = "auto"
    dropout: Annotated[float, "share that is dropped", Flag(), Ge(0), Le(0.5)] = 0.25
    split: Annotated[Literal["hash", "tail"], "how to split", Flag()] = "hash"
    tie: Annotated[bool, "tie both ends", Flag()] = True
    raw: Annotated[bool, "change nothing", Flag("--raw")] = False
    shape: Annotated[Literal["auto"] | bool, "round or not", Flag()] = "auto"
    inputs: Annotated[tuple[str, ...], "what to read", Flag("--input", "-i")] = ("corpus/",)
    sizes: Annotated[tuple[int, ...], "several sizes"] = ()
    note: Annotated[str | None, "a remark", Flag()] = None
    hidden: Annotated[str, "a setting without a flag"] = "quiet"
    rule: Annotated[Any, "which rule", Owned(RULES, "plain")] = Plain()
    rules: Annotated[tuple[Any, ...], "rules in order", OwnedList(RULES)] = ("plain",)
    workers: Annotated[int, "processes", Ge(0), Unkeyed()] = 0
