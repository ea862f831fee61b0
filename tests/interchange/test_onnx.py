"""The exporter of torch takes long, so that one test does all with one graph; it is slow."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lmcli.interchange import onnx_file
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.onnx_file import FILE, ONNX, inputs_of, logits, session
from lmcli.interchange.source import Source
from lmcli.interchange.source import logits as logits_here

for _module in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(_module)


@pytest.mark.slow
def test_onnx_runtime_computes_the_same(source: Source, tmp_path: Path) -> None:
    config = ExportConfig(format="onnx")
    ONNX.write(source, config, tmp_path)
    (check,) = ONNX.check(source, config, tmp_path)
    assert check.holds, str(check)
    assert {"config.json", "tokenizer.json", FILE, "README.md"} <= {path.name for path in tmp_path.iterdir()}
    running = session(tmp_path / FILE)
    for rows, positions in ((1, 1), (1, 48), (3, 7)):
        ids = torch.randint(200, (rows, positions), generator=torch.Generator().manual_seed(positions))
        theirs, ours = logits(running, inputs_of(source.model, ids)), logits_here(source.model, ids)
        assert (theirs - ours).abs().max() < 1e-4

    (tmp_path / FILE).rename(tmp_path / "plain")
    (tmp_path / "plain").rename(tmp_path / FILE)
    plain_bytes = (tmp_path / FILE).stat().st_size
    onnx_file._quantize(tmp_path)
    (check,) = ONNX.check(source, ExportConfig(format="onnx", quantize="int8"), tmp_path)
    assert check.holds, str(check)
    assert check.difference > 1e-4
    assert (tmp_path / FILE).stat().st_size < plain_bytes
    assert not list(tmp_path.glob(".tmp-*"))
