"""Settings of the model and of the machine that it runs on."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge, Gt, Lt

from lmcli.config import Flag, Unkeyed, section

Size: TypeAlias = Literal["auto"] | Annotated[int, Ge(1)]


@section
class ComputeConfig:
    device: Annotated[str, "where to compute: auto, cpu, cuda, cuda:1, mps", Flag()] = "auto"
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"],
        "precision of matrix products; auto takes bfloat16 where the hardware is fast at it",
        Flag(),
    ] = "auto"
    threads: Annotated[
        int, "CPU threads that the processes on a machine share; 0 takes all cores", Flag(), Unkeyed(), Ge(0)
    ] = 0


@section
class ModelConfig:
    """`auto` is resolved by the planner from the corpus and the time that training may take."""

    family: Annotated[str, "model family", Flag()] = "qwen3"
    preset: Annotated[
        str, "a family with its sizes by name, as gpt2-124m or bert-base; other keys win over it", Flag()
    ] = ""
    width: Annotated[Size, "size of the hidden state", Flag()] = "auto"
    depth: Annotated[Size, "number of blocks; of the encoder, where there is a decoder too", Flag()] = "auto"
    decoder_depth: Annotated[Size, "number of blocks of the decoder; auto takes as many as the encoder has"] = "auto"
    heads: Annotated[Size, "attention heads; they divide the width", Flag()] = "auto"
    kv_heads: Annotated[Size, "key and value heads; they divide the heads, auto takes as many"] = "auto"
    ffn: Annotated[Size, "inner size of the feed-forward layers"] = "auto"
    context: Annotated[Size, "how many tokens the model sees at once", Flag()] = "auto"
    dropout: Annotated[
        Literal["auto"] | Annotated[float, Ge(0), Lt(1)], "share of activations dropped in training", Flag()
    ] = "auto"
    tie_embeddings: Annotated[Literal["auto"] | bool, "use the token embedding as the output layer too"] = "auto"
    rope_theta: Annotated[float, "base of the rotary position wavelengths", Gt(0)] = 10_000.0
    positions: Annotated[
        Literal["auto", "learned", "sinusoidal"], "how positions get their vectors; sinusoidal ones are not trained"
    ] = "auto"
    gated: Annotated[Literal["auto"] | bool, "t5: feed-forward layers with a gate, as in version 1.1"] = "auto"
    embedding_width: Annotated[Size, "electra: size of the token vectors, which both networks share"] = "auto"
    generator_share: Annotated[
        float, "electra: width of the generator for each channel of the discriminator", Gt(0)
    ] = 0.25
    vectors: Annotated[
        str, "file of word vectors (word2vec's or GloVe's text format) that the embedding begins with"
    ] = ""
