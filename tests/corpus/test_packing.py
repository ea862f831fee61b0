from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcli.corpus.packing import Packed, pack, unpack
from lmcli.errors import ArtifactError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
CHUNKS = st.lists(st.lists(st.builds(Packed, TEXT, TEXT, TEXT, TEXT, TEXT), max_size=5), max_size=4)


@given(CHUNKS)
def test_documents_come_back_in_order(tmp_path_factory: pytest.TempPathFactory, chunks: list[list[Packed]]) -> None:
    path = tmp_path_factory.mktemp("packing") / "texts.bin"
    path.write_bytes(b"".join(map(pack, chunks)))
    assert list(unpack(path)) == [document for chunk in chunks for document in chunk]


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_damage_is_noticed(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "texts.bin"
    whole = pack([Packed("a", "text " * 100, "", "", "")])
    path.write_bytes(whole[:-cut])
    with pytest.raises(ArtifactError, match=r"texts\.bin is damaged"):
        list(unpack(path))
    path.write_bytes(whole[:12] + bytes([whole[12] ^ 255]) + whole[13:])
    with pytest.raises(ArtifactError, match=r"texts\.bin is damaged"):
        list(unpack(path))
