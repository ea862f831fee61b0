"""Settings of pretraining and fine-tuning."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt, Predicate

from lmcli.config import Flag, Owned, OwnedList, Unkeyed, section
from lmcli.corpus.config import ReadingConfig
from lmcli.models.config import ComputeConfig
from lmcli.objectives import OBJECTIVES
from lmcli.training.health import is_policy
from lmcli.training.length import is_extension, is_length
from lmcli.training.optimizers import OPTIMIZERS
from lmcli.training.optimizers.muon import Muon
from lmcli.training.schedules import SCHEDULES
from lmcli.training.schedules.linear import Linear
from lmcli.training.schedules.wsd import Wsd
from lmcli.training.trackers import TRACKERS

Amount = Literal["auto"] | Annotated[int, Ge(1)]


@section
class TrainConfig(ComputeConfig):
    length: Annotated[
        str, 'how long to train: a time ("90s", "10m"), "2000 steps" or "3 epochs"', Flag(), Predicate(is_length)
    ] = "5m"
    seed: Annotated[int, "the same number draws the same weights and order of the data", Flag(), Ge(0)] = 0
    optimizer: Annotated[Any, "rule that moves the weights", Owned(OPTIMIZERS, "muon", by_place="custom")] = Muon()
    schedule: Annotated[Any, "course of the learning rate", Owned(SCHEDULES, "wsd")] = Wsd()
    batch_tokens: Annotated[Amount, "tokens in one step", Flag()] = "auto"
    micro_batch: Annotated[Amount, "rows computed at once; a step adds up as many as it needs"] = "auto"
    clip: Annotated[float, "largest norm of a step's gradient; 0 lets any pass", Ge(0)] = 1.0
    compile: Annotated[
        bool,
        "let torch.compile make code first: on a CPU for what lies between matrix products, which takes half a minute "
        "and pays in runs of more than ten; on a GPU for the model's passes",
    ] = False
    l2: Annotated[float, "penalty of l2 / 2 for the sum of all squared weights of matrices, in the loss", Ge(0)] = 0.0
    label_smoothing: Annotated[
        float, "share of each target that goes to all tokens alike, in training only", Ge(0), Lt(1)
    ] = 0.0
    recompute: Annotated[
        bool,
        "compute activations again in the backward pass instead of keeping them: less memory, about a third more time",
        Unkeyed(),
    ] = False
    ema: Annotated[
        float,
        "decay of a moving average of the weights, which is validated and published then; 0 keeps none",
        Ge(0),
        Lt(1),
    ] = 0.0
    on_nonfinite: Annotated[
        str,
        'a loss or gradient that is not finite: "stop" before the step, or "skip:N" to leave out up to N such steps',
        Unkeyed(),
        Predicate(is_policy),
    ] = "stop"
    stop_on_divergence: Annotated[
        bool, "stop when the loss stays above three times its usual value, instead of warning", Flag(), Unkeyed()
    ] = False
    eval_every: Annotated[Amount, "steps between validations", Flag()] = "auto"
    save_every: Annotated[Amount, "steps between checkpoints", Unkeyed()] = "auto"
    save_in_background: Annotated[
        Literal["auto", "always", "never"],
        "write checkpoints beside training, from a copy in memory: auto where training leaves a core over",
        Unkeyed(),
    ] = "auto"
    keep: Annotated[int, "latest checkpoints to keep, beside the best weights", Unkeyed(), Ge(1)] = 1
    strategy: Annotated[
        Literal["ddp", "fsdp"],
        "what several processes hold: ddp a copy of the model each, fsdp a part of it each",
        Flag(),
        Unkeyed(),
    ] = "ddp"
    early_stop: Annotated[
        int, "stop after this many validations without a better loss; 0 never stops early", Flag(), Ge(0)
    ] = 4
    trackers: Annotated[
        tuple[Any, ...],
        "programs that get the rows of metrics.jsonl too: tensorboard, wandb (offline unless WANDB_MODE says "
        "otherwise), trackio",
        OwnedList(TRACKERS),
        Unkeyed(),
    ] = ()
    sample_every: Annotated[int, "steps between texts that the model writes; 0 writes none", Unkeyed(), Ge(0)] = 0
    sample_prompts: Annotated[tuple[str, ...], "what these texts go on from; none begins a document", Unkeyed()] = ()


@section
class PretrainConfig(TrainConfig):
    objective: Annotated[
        tuple[Any, ...],
        "what to train for; several share the windows by their weights. None is what the family is for: causal for "
        "decoders, masked for encoders, replaced for electra, denoise for encoder-decoders",
        OwnedList(OBJECTIVES),
        Flag(),
    ] = ()
    short_start: Annotated[
        Literal["auto"] | Annotated[float, Ge(0), Lt(1)],
        "share of the steps, at the beginning, that read windows cut into up to 8 pieces of 32 tokens or more; auto: a "
        "quarter for running text where positions are relative (qwen3, llama, nanochat), else none",
    ] = "auto"
    extend: Annotated[
        str,
        'go on from before the cooldown to a later end: "2x", "+2000 steps", "+5m", or the whole: "10m"',
        Flag(),
        Predicate(is_extension),
    ] = ""
    continue_from: Annotated[
        str, "train this model further instead of a new one: an artifact or a directory; its tokenizer is the project's"
    ] = ""


@section
class FinetuneConfig(ReadingConfig, TrainConfig):
    data: Annotated[
        tuple[str, ...], "rows with a prompt and a completion, or with a text: files, folders or globs"
    ] = ()
    base: Annotated[str, "model to start from: an artifact or a directory", Flag()] = "model"
    validation: Annotated[float, "share of the prompts kept apart to measure the loss", Flag(), Gt(0), Lt(1)] = 0.1
    length: Annotated[
        str, 'how long to train: a time ("90s", "10m"), "500 steps" or "3 epochs"', Flag(), Predicate(is_length)
    ] = "3 epochs"
    lr_scale: Annotated[float, "share of the optimizer's learning rates, for the weights are good already", Gt(0)] = 0.5
    schedule: Annotated[Any, "course of the learning rate", Owned(SCHEDULES, "linear")] = Linear()
    dropout: Annotated[float, "share of activations dropped in training", Flag(), Ge(0), Lt(1)] = 0.1
    early_stop: Annotated[
        int, "stop after this many validations without a better loss; 0 never stops early", Flag(), Ge(0)
    ] = 3
