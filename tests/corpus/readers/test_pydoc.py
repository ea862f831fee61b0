from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lmcli.corpus.config import ReadingConfig
from lmcli.corpus.readers.pydoc import load
from lmcli.corpus.reading import Reading, read
from lmcli.corpus.sources import Source, resolve
from lmcli.corpus.tally import Tally
from lmcli.progress import Silent

SOURCE = '''"""A module about rooms.

With a second paragraph.
"""
import antigravity_that_does_not_exist

class Room:
    """A place with walls."""

    def enter(self, who, *, door: int = 1) -> None:
        """Go in by a door

        of your choice. Then look around."""

    @property
    def size(self):
        """Square metres."""

    def _hidden(self, x):
        """Nothing to see here. Really."""

if True:
    async def build(walls, /, roof=None, **more):
        """build(walls) -> a new room, which
        may be empty. More follows."""

    def undocumented(): ...

    def example():
        """>>> example()"""
'''


def parsed(tmp_path: Path) -> tuple[Source, Reading]:
    path = tmp_path / "rooms.py"
    path.write_text(SOURCE)
    return Source("pydoc:house.rooms", path, "pydoc"), Reading(ReadingConfig(), Tally(), lambda amount: None)


def test_a_module_reads_like_a_manual(tmp_path: Path) -> None:
    module = load(*parsed(tmp_path))
    assert module.text == (
        "house.rooms\n\nA module about rooms.\n\nWith a second paragraph.\n\n"
        "class Room\n\nA place with walls.\n\n"
        "Room.enter(who, *, door=1)\n\nGo in by a door\n\nof your choice. Then look around.\n\n"
        "Room.size\n\nSquare metres.\n\n"
        "build(walls) -> a new room, which\nmay be empty. More follows.\n\n"
        "example()\n\n>>> example()\n"
    )


def test_signatures_go_with_the_first_sentence(tmp_path: Path) -> None:
    rows = load(*parsed(tmp_path)).signatures
    assert [(row.name, row.definition, row.summary) for row in rows] == [
        ("Room.enter", "def enter(self, who, *, door=1):\n", "Go in by a door"),
        ("Room.size", "def size(self):\n", "Square metres."),
        ("Room._hidden", "def _hidden(self, x):\n", "Nothing to see here."),
        ("build", "def build(walls, /, roof=None, **more):\n", "build(walls) -> a new room, which may be empty."),
    ]


def test_topics_and_modules_of_the_library(tmp_path: Path) -> None:
    wanted = {"pydoc:topics", "pydoc:json.decoder", "pydoc:this"}
    before = set(sys.modules)
    sources = [source for source in resolve(["pydoc:"], tmp_path) if source.label in wanted]
    by_id = {document.id: document.text for document in read(sources, ReadingConfig(), Silent(), Tally())}
    assert by_id["pydoc:topics:if"].startswith('The "if" statement\n')
    assert "\nJSONDecoder.decode(s" in by_id["pydoc:json.decoder"]
    assert "pydoc:this" not in by_id
    assert "this" not in set(sys.modules) - before


@pytest.mark.slow
def test_the_library_gives_two_megabytes_of_english_and_imports_nothing(tmp_path: Path) -> None:
    before = set(sys.modules)
    tally = Tally()
    documents = list(read(resolve(["pydoc:"], tmp_path), ReadingConfig(), Silent(), tally))
    assert not {name for name in set(sys.modules) - before if name.startswith(("antigravity", "tkinter", "idlelib"))}
    by_id = {document.id: document.text for document in documents}
    assert len(by_id) == len(documents) == tally.documents
    assert sum(map(len, by_id.values())) > 1_500_000
