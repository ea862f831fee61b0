"""pydoc: the text that comes with every Python: its language reference, the docstrings of its library, and its code.

About two megabytes for trying things out without a download. The files are parsed, never imported.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lmcli.corpus.compression import chunks
from lmcli.corpus.documents import Document
from lmcli.corpus.sources import Source
from lmcli.errors import InputError

if TYPE_CHECKING:
    from lmcli.corpus.reading import Reading

_TOPICS = "pydoc_data/topics.py"
_SKIPPED = {
    "test",
    "tests",
    "idle_test",
    "site-packages",
    "dist-packages",
    "__pycache__",
    "lib2to3",
    "pydoc_data",
    "encodings",
}
_FEWEST_CHARACTERS = 100  # a module with less has a name and hardly a sentence

_SENTENCE = re.compile(r"[^.!?]++(?:[.!?](?!\s|$)[^.!?]*+)*+[.!?](?=\s|$)")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def sources(item: str) -> list[Source]:
    """The files behind `pydoc:` (documents), `pydoc:code` (the files as they are) and `pydoc:signatures` (rows)."""
    kinds = {"pydoc:": "pydoc", "pydoc:code": "txt", "pydoc:signatures": "signatures"}
    if item not in kinds:
        raise InputError(f"unknown input {item}", f"known: {' '.join(kinds)}")
    library = Path(sysconfig.get_path("stdlib"))
    kept = "code:" if item == "pydoc:code" else ""
    found = [
        Source(f"pydoc:{kept}{_module_name(path.relative_to(library))}", path, kinds[item]) for path in _files(library)
    ]
    if item == "pydoc:" and (library / _TOPICS).is_file():
        found.append(Source("pydoc:topics", library / _TOPICS, "pydoc"))
    return found


@functools.cache
def _files(library: Path) -> list[Path]:
    """The library's own files. What is skipped is not even listed: site-packages may hold a hundred times as many."""
    found = []
    for folder, below, names in os.walk(library):
        below[:] = [name for name in below if name not in _SKIPPED]
        found += [Path(folder, name) for name in names if name.endswith(".py")]
    return found


def _module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@dataclass(frozen=True, slots=True)
class Signature:
    """A documented function: its place ("JSONDecoder.decode"), its `def` line, and what it is said to do."""

    name: str
    definition: str
    summary: str


@dataclass(frozen=True, slots=True)
class Module:
    """What one file has to say."""

    text: str
    topics: tuple[tuple[str, str], ...]
    signatures: tuple[Signature, ...]


def read(source: Source, reading: Reading) -> Iterator[Document]:
    """A document for each topic of the language reference, and one for each module that has docstrings."""
    module = load(source, reading)
    for name, text in module.topics:
        yield Document(f"{source.label}:{name}", text)
    if module.text:
        yield Document(source.label, module.text)


def load(source: Source, reading: Reading) -> Module:
    """The parsed file; kept in memory, because commands go over their input more than once and parsing is slow."""
    assert source.path is not None
    status = source.path.stat()
    reading.advance(status.st_size)
    return _parse(source.path, source.label.removeprefix("pydoc:"), status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4096)
def _parse(path: Path, name: str, modified: int, size: int) -> Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(b"".join(chunks(path)))
        except (SyntaxError, ValueError):  # lib2to3 and friends carry files of other Python versions
            return Module("", (), ())
    if path.as_posix().endswith(_TOPICS):
        return Module("", tuple(_topics(tree)), ())
    return Module(_module_text(name, tree), (), tuple(_signatures(tree)))


def _topics(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The entries of the dictionary of strings that the file consists of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield str(key.value), value.value


def _module_text(name: str, tree: ast.Module) -> str:
    """The module's docstring, then those of its classes, functions and methods under their signatures."""
    entries = [_entry(place, node, text) for place, node in _definitions(tree) if (text := _doc(node))]
    text = "\n\n".join([_under(name, (ast.get_docstring(tree) or "").strip()), *entries]) + "\n"
    return text if len(text) >= _FEWEST_CHARACTERS else ""


def _under(heading: str, text: str) -> str:
    """Heading and text, unless the text begins with the heading itself, as many docstrings do."""
    return text if heading and text.startswith(heading) else f"{heading}\n\n{text}".strip()


def _entry(place: str, node: Definition, text: str) -> str:
    if isinstance(node, ast.ClassDef):
        return _under(f"class {place}", text)
    if text.startswith((f"{place}(", f"{node.name}(")):
        return text
    return _under(place if _is_property(node) else f"{place}({_arguments(node, skip_self='.' in place)})", text)


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(decorator).endswith(("property", ".setter")) for decorator in node.decorator_list)


def _definitions(
    tree: ast.Module | Definition, private: bool = False, prefix: str = ""
) -> Iterator[tuple[str, Definition]]:
    """The classes, functions and methods, in the order of the source; those with a leading underscore if `private`."""
    for node in _statements(tree.body):
        if isinstance(node, Definition) and (private or not node.name.startswith("_")):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _definitions(node, private, f"{prefix}{node.name}.")


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block, also those under `if` and `try`."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _statements([*node.body, *node.orelse])


def _doc(node: Definition) -> str:
    return (ast.get_docstring(node) or "").strip()


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef, skip_self: bool) -> str:
    """The parameters as one would write them in a manual: without annotations, and without self."""
    for argument in ast.walk(node.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    text = ast.unparse(node.args)
    return re.sub(r"^(self|cls)(, |$)", "", text) if skip_self else text


def _signatures(tree: ast.Module) -> Iterator[Signature]:
    for place, node in _definitions(tree, private=True):
        if isinstance(node, ast.ClassDef):
            continue
        summary = _summary(_doc(node))
        if summary and not summary.startswith(">>>"):
            yield Signature(place, f"def {node.name}({_arguments(node, skip_self=False)}):\n", summary)


def _summary(doc: str) -> str:
    """The first line; where the first sentence goes on after it, the lines to the end of that, three at most."""
    lines = [line.strip() for line in doc.partition("\n\n")[0].splitlines()][:3]
    match = _SENTENCE.match(" ".join(lines))
    return match[0] if match else "".join(lines[:1])
