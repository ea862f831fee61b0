"""New projects from templates. A template is a folder with an lmcli.toml, a README.md and perhaps more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lmcli
from lmcli.errors import InputError, did_you_mean, from_os_error
from lmcli.project import document, durable, lock
from lmcli.project.lock import Manifest

DEFAULT = "default"
IGNORED = "artifacts/\nruns/\n.lmcli/\n"


@dataclass(frozen=True)
class Scaffold:
    """What `init` did: files that it wrote and files that were there and kept, relative to the project."""

    root: Path
    template: str
    written: tuple[str, ...]
    kept: tuple[str, ...]


def templates() -> dict[str, Path]:
    """Template folders by name: packaged ones, or those beside a source checkout."""
    package = Path(lmcli.__file__).parent
    home = package / "_templates"
    home = home if home.is_dir() else package.parent / "templates"
    return {path.name: path for path in sorted(home.iterdir()) if (path / document.NAME).is_file()}


def about(template: Path) -> str:
    """What a template is for: the first line of its lmcli.toml."""
    first = (template / document.NAME).read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip()


def init(root: Path, template: str = DEFAULT, *, dry_run: bool = False) -> Scaffold:
    """Make `root` a project. Nothing that is there is changed. Raises InputError for an unknown template."""
    known = templates()
    if template not in known:
        hint = did_you_mean(template, known) or f"known: {', '.join(known)}"
        raise InputError(f"no template named {template}", hint)
    files = {
        path.relative_to(known[template]).as_posix(): path.read_bytes()
        for path in sorted(known[template].rglob("*"))
        if path.is_file()
    }
    files.setdefault(".gitignore", IGNORED.encode())
    # lmcli.toml comes last: it makes the folder a project, so that half an init is no project
    names = sorted(files, key=lambda name: (name == document.NAME, name))
    kept = tuple(name for name in names if (root / name).exists())
    written = tuple(name for name in names if name not in kept)
    if not dry_run:
        _write(root, {name: files[name] for name in written})
    return Scaffold(root, template, written, kept)


def _write(root: Path, files: dict[str, bytes]) -> None:
    try:
        durable.mkdir(root)
        durable.mkdir(root / "corpus")
        if not (root / "lmcli.lock").exists() and not (root / "artifacts").exists():
            lock.save(root / "lmcli.lock", Manifest())
        for name, data in files.items():
            durable.mkdir((root / name).parent)
            durable.write(root / name, data)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{root} is not a folder", "name a folder for the project") from None
    except OSError as error:
        raise from_os_error(error) from None
