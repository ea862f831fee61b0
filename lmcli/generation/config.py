"""Settings of text generation."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from lmcli.config import Flag, Unkeyed, section
from lmcli.models.config import ComputeConfig


@section
class GenerateConfig(ComputeConfig):
    """How to write, with which model and after which prompts; without a prompt a document is begun."""

    model: Annotated[str, "name or path of the model; empty takes the project's default", Flag()] = ""
    prompts: Annotated[tuple[str, ...], "texts to go on from"] = ()
    prompts_file: Annotated[str, "file with a prompt on each line; - is stdin", Flag("--prompts")] = ""
    suffix: Annotated[
        str, "what stands behind the text: it fills the gap between prompt and suffix (models trained with fim)", Flag()
    ] = ""
    max_tokens: Annotated[int, "stop after this many new tokens", Flag(), Ge(1)] = 200
    min_tokens: Annotated[int, "do not end the text before this many new tokens", Flag(), Ge(0)] = 0
    temperature: Annotated[
        float, "below 1 favours likely tokens, above 1 evens out; 0 always takes the likeliest", Flag(), Ge(0)
    ] = 0.8
    top_k: Annotated[int, "draw among this many likeliest tokens; 0 draws among all", Flag(), Ge(0)] = 50
    top_p: Annotated[
        float, "draw among the likeliest tokens that hold this share of the probability", Flag(), Gt(0), Le(1)
    ] = 1.0
    min_p: Annotated[
        float, "leave out tokens less likely than this share of the likeliest one", Flag(), Ge(0), Lt(1)
    ] = 0.0
    repetition_penalty: Annotated[float, "above 1 makes tokens that were used less likely", Flag(), Gt(0)] = 1.0
    greedy: Annotated[bool, "always take the likeliest token", Flag()] = False
    seed: Annotated[Literal["random"] | Annotated[int, Ge(0)], "the same number gives the same text again", Flag()] = (
        "random"
    )
    count: Annotated[int, "texts for each prompt", Flag("-n", "--count"), Ge(1)] = 1
    stop: Annotated[tuple[str, ...], "end the text before this string; may be given again", Flag()] = ()
    echo: Annotated[bool, "show the prompt before the text", Flag()] = True
    batch: Annotated[int, "texts that are written at the same time", Unkeyed(), Ge(1)] = 16
