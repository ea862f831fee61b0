"""onnx: the model as a graph for ONNX Runtime, with the tokenizer beside it.

Inputs are `input_ids` (batch, positions), for encoders and encoder-decoders also `attention_mask` (1 where there is
text), for encoder-decoders `decoder_input_ids`; the output is `logits`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lmcli.errors import ArtifactError
from lmcli.interchange.checking import Check, compare
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.formats import Format, precision
from lmcli.interchange.packages import needed, version
from lmcli.interchange.source import Source, as_choices, scores, targets
from lmcli.models.decoder import Decoder
from lmcli.models.directory import TOKENIZER_FILES
from lmcli.models.encoder import Encoder
from lmcli.models.encoder_decoder import EncoderDecoder
from lmcli.models.lstm_layers import Lstm
from lmcli.models.model import Model
from lmcli.project import durable

FILE = "model.onnx"
OPSET = 20
_ALONE = 1_500_000_000
"""Bytes of weights up to which they lie in the graph's own file: protobuf ends at 2 GiB."""


class _DecoderGraph(nn.Module):
    def __init__(self, model: Decoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        # A prefix of no tokens: the mask becomes part of the graph, and not of a kernel that is cut for one length.
        prefix_b = torch.zeros_like(input_ids[:, 0])
        return self.model.logits(self.model.hidden(input_ids, sight=prefix_b))


class _EncoderGraph(nn.Module):
    def __init__(self, model: Encoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return scores(self.model, self.model.hidden(input_ids, attention_mask != 0))


class _EncoderDecoderGraph(nn.Module):
    def __init__(self, model: EncoderDecoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor) -> Tensor:
        memory = self.model.encode(input_ids, attention_mask != 0)
        return self.model.logits(self.model.hidden(decoder_input_ids, memory))


_GRAPHS: Mapping[str, Callable[[Any], nn.Module]] = {
    "decoder": _DecoderGraph,
    "encoder": _EncoderGraph,
    "encoder-decoder": _EncoderDecoderGraph,
}


def inputs_of(model: Model, ids_rt: Tensor) -> dict[str, Tensor]:
    """The graph's inputs for rows of ids without padding."""
    given = {"input_ids": ids_rt}
    if model.kind != "decoder":
        given["attention_mask"] = torch.ones_like(ids_rt)
    if model.kind == "encoder-decoder":
        given["decoder_input_ids"] = targets(ids_rt)
    return given


def write(source: Source, config: ExportConfig, out: Path) -> None:
    needed("onnxscript", "onnx")
    if any(isinstance(part, Lstm) for part in source.model.modules()):
        message = f"{source.name} can't go out as ONNX: torch writes no LSTM for any number of texts"
        raise ArtifactError(message, "`lmcli export dir` takes any model")
    size = 4 * sum(parameter.numel() for parameter in source.model.parameters())
    with _quiet():
        program = _program(source)
        program.save(out / FILE, external_data=size > _ALONE)
        if config.quantize == "int8":
            _quantize(out)
    for path in out.iterdir():
        durable.fsync_file(path)
    for name in ("config.json", *TOKENIZER_FILES):
        if (source.directory / name).is_file():
            durable.write(out / name, (source.directory / name).read_bytes())
    durable.write(out / "README.md", source.card)


@torch.no_grad()
def _program(source: Source) -> Any:
    """The graph for any number of rows and positions, traced on a few."""
    given = inputs_of(source.model, source.ids_rt[:, : max(4, source.ids_rt.shape[1] // 2)])
    if "decoder_input_ids" in given:  # of another length, or the graph takes both for one
        given["decoder_input_ids"] = given["decoder_input_ids"][:, 1:]
    any_size = torch.export.Dim.DYNAMIC
    graph = _GRAPHS[source.model.kind](source.model).eval()
    return torch.onnx.export(
        graph,
        tuple(given.values()),
        dynamo=True,
        input_names=list(given),
        output_names=["logits"],
        dynamic_shapes=tuple({0: any_size, 1: any_size} for _ in given),
        opset_version=OPSET,
        verbose=False,
    )


def _quantize(out: Path) -> None:
    """Matrices in 8 bits, with a scale for each of their outputs, and what meets them too, with one for each batch.

    One scale for a whole matrix costs much more: on a trained encoder of 6 blocks of width 384 the mean divergence was
    0.094 nats, and 0.017 with a scale for each output.
    """
    quantization = needed("onnxruntime.quantization", "onnx")
    plain = (out / FILE).rename(out / f"{durable.TEMPORARY}plain.onnx")
    quantization.quantize_dynamic(plain, out / FILE, weight_type=quantization.QuantType.QInt8, per_channel=True)
    plain.unlink()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporter and quantizer tell of their steps on every channel that they know."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def check(source: Source, config: ExportConfig, out: Path) -> Sequence[Check]:
    """ONNX Runtime on the CPU, on rows longer than those of the tracing."""
    theirs = logits(session(out / FILE), inputs_of(source.model, source.ids_rt))
    found = compare(
        source.logits_rtv, theirs, library="onnxruntime", version=version("onnxruntime"), precision=precision(config)
    )
    return [found]


def session(path: Path) -> Any:
    return needed("onnxruntime", "onnx").InferenceSession(path, providers=["CPUExecutionProvider"])


def logits(running: Any, given: Mapping[str, Tensor]) -> Tensor:
    """(r, t, v) of a session."""
    found = running.run(["logits"], {name: tensor.numpy() for name, tensor in given.items()})[0]
    return as_choices(torch.from_numpy(found))


ONNX = Format(write, check, {"onnx": "onnx", "onnxscript": "onnx", "onnxruntime": "onnx"}, lambda config: FILE)
