from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from lmcli.errors import ArtifactError
from lmcli.models import weights
from lmcli.models.weights import read_header, read_tensor, write_tensors

TENSORS = {
    "b": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "a": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "count": torch.tensor(7, dtype=torch.int64),
    "empty": torch.zeros(0, 4),
}


def read_all(path: Path) -> dict[str, torch.Tensor]:
    return {name: read_tensor(path, entry) for name, entry in read_header(path).items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype and torch.equal(left[name], right[name]) for name in left
    )


def test_what_is_written_is_read_here_and_by_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    write_tensors(path, TENSORS)
    assert same(read_all(path), TENSORS)
    with safe_open(path, framework="pt") as file:
        assert same({name: file.get_tensor(name) for name in file.keys()}, TENSORS)  # noqa: SIM118 - no mapping
        assert file.metadata() == {"format": "pt"}
    assert [file.name for file in tmp_path.iterdir()] == ["weights"]


def test_what_safetensors_writes_is_read(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "weights")
    assert same(read_all(tmp_path / "weights"), TENSORS)


def test_dtype_converts_floating_point_and_views_are_written_whole(tmp_path: Path) -> None:
    write_tensors(tmp_path / "weights", {"t": TENSORS["b"].t(), "count": TENSORS["count"]}, torch.float16)
    read = read_all(tmp_path / "weights")
    assert read["t"].dtype == torch.float16
    assert read["t"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert read["count"].dtype == torch.int64


def test_the_same_tensors_give_the_same_bytes(tmp_path: Path) -> None:
    write_tensors(tmp_path / "one", TENSORS)
    write_tensors(tmp_path / "two", dict(reversed(TENSORS.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def crafted(header: Any, data: bytes = b"") -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + data


def entry(shape: Any = (2,), offsets: Any = (0, 8), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


DAMAGED = {
    "empty": b"",
    "short": b"\x02\0\0",
    "endless header": (1 << 63).to_bytes(8, "little") + b"{}",
    "no JSON": crafted(b"\x80\x04pickle"),
    "no object": crafted([]),
    "deep": crafted(b"[" * 100_000),
    "no entry": crafted({"a": 3}),
    "extra key": crafted({"a": {**entry(), "more": 1}}, b"12345678"),
    "unknown dtype": crafted({"a": entry(dtype="F99")}, b"12345678"),
    "no dtype": crafted({"a": entry(dtype=["F32"])}, b"12345678"),
    "negative": crafted({"a": entry((-2,))}, b"12345678"),
    "fraction": crafted({"a": entry((2.0,))}, b"12345678"),
    "true": crafted({"a": entry((True, 2))}, b"12345678"),
    "overflow": crafted({"a": entry((1 << 40, 1 << 40))}, b"12345678"),
    "shape and bytes": crafted({"a": entry((3,))}, b"12345678"),
    "overlap": crafted({"a": entry(), "b": entry((2,), (4, 12))}, b"123456789012"),
    "hole": crafted({"a": entry(), "b": entry((2,), (12, 20))}, b"1" * 20),
    "cut": crafted({"a": entry()}, b"1234"),
    "trailing": crafted({"a": entry()}, b"123456789"),
    "many": crafted({str(i): entry((0,), (0, 0)) for i in range(weights.MAX_TENSORS + 1)}),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_an_error_that_names_the_file(kind: str, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(DAMAGED[kind])
    with pytest.raises(ArtifactError, match="weights is damaged"):
        read_header(tmp_path / "weights")


def test_a_huge_header_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "weights").open("wb") as file:
        file.write((weights.MAX_HEADER_BYTES + 1).to_bytes(8, "little"))
        file.truncate(weights.MAX_HEADER_BYTES + 100)
    with pytest.raises(ArtifactError, match="header claims"):
        read_header(tmp_path / "weights")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="weights is missing"):
        read_header(tmp_path / "weights")


@settings(deadline=None, max_examples=50)
@given(position=st.integers(0, 220), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_any_changed_byte_is_read_or_refused(
    position: int, value: int, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("w") / "weights"
    write_tensors(path, {"a": TENSORS["b"], "b": TENSORS["b"]})
    data = bytearray(path.read_bytes())
    data[position % len(data)] = value
    path.write_bytes(data[: len(data) - cut])
    with contextlib.suppress(ArtifactError):
        read_all(path)
