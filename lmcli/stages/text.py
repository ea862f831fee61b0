"""Where the text of a stage comes from: the result of `clean`, or the inputs as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lmcli.project.stage import Artifact, Files, Input
from lmcli.stages.kind import Request

if TYPE_CHECKING:
    from lmcli.corpus.sources import Source


def files(inputs: Sequence[str], root: Path, format: str = "auto") -> Files:
    """The inputs as files whose digests are compared; they are looked for only then."""

    def find() -> list[tuple[str, Path | None]]:
        from lmcli.corpus.sources import files_behind

        return [file for source in resolve(inputs, root, format) for file in files_behind(source)]

    return Files(find)


def resolve(inputs: Sequence[str], root: Path, format: str = "auto") -> tuple[Source, ...]:
    from lmcli.corpus.sources import resolve as find_sources

    return find_sources(inputs, root, format)


def text_input(request: Request) -> dict[str, Input]:
    """`clean` when it was made (or is wanted) from the same inputs and `raw` is off; else the inputs themselves."""
    inputs = request.section("project").inputs
    if reads_clean(request):
        return {"clean": Artifact("clean")}
    return {"corpus": files(inputs, request.project.root, request.section("tokens").format)}


def reads_clean(request: Request) -> bool:
    if request.section("tokens").raw or "clean" not in request.resolved:
        return False
    theirs = request.resolved["clean"].sections["project"].inputs
    return _normal(theirs) == _normal(request.section("project").inputs)


def _normal(inputs: Sequence[str]) -> list[str]:
    return [item if ":" in item else PurePosixPath(item).as_posix() for item in inputs]


def remark(request: Request) -> str | None:
    """What a person should know about where the text comes from; None when there is no doubt."""
    if reads_clean(request):
        return "reading the result of `clean`, which was made from the same input"
    if "clean" not in request.resolved:
        return None
    if request.section("tokens").raw:
        return "reading the input as it is, not the result of `clean` (--raw)"
    theirs = ", ".join(request.resolved["clean"].sections["project"].inputs)
    return f"`clean` was made from {theirs}, not from this input: reading the input as it is"
