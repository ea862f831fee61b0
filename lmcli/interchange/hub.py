"""Models of the Hugging Face hub, fetched only when somebody names one."""

from __future__ import annotations

import re
from pathlib import Path

from lmcli.errors import InputError, MachineError
from lmcli.interchange.packages import needed

PREFIX = "hf:"
PATTERNS = ("*.safetensors", "*.json", "*.txt", "*.jinja", "README.md", "LICENSE*")
"""What is fetched: nothing that could hold code."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def is_named(source: str) -> bool:
    return source.startswith(PREFIX)


def could_be(source: str) -> bool:
    """Whether a text that is no path has the form OWNER/NAME."""
    return source.count("/") == 1 and bool(_NAME.fullmatch(source))


def fetch(source: str, revision: str) -> tuple[Path, str]:
    """The folder of a snapshot of `hf:OWNER/NAME`, in huggingface_hub's cache, and the commit that it is of.

    Raises InputError when there is no such model and MachineError when the hub can't be reached.
    """
    name = source.removeprefix(PREFIX)
    if not _NAME.fullmatch(name):
        raise InputError(f"{source} is no name of a hub model", "write hf:OWNER/NAME")
    hub = needed("huggingface_hub", "hf")
    errors = needed("huggingface_hub.errors", "hf")
    try:
        folder = Path(hub.snapshot_download(name, revision=revision, allow_patterns=list(PATTERNS)))
    except errors.GatedRepoError:
        raise InputError(
            f"the hub asks for a login for {name}", "accept its terms on the hub, then `hf auth login`"
        ) from None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        raise InputError(f"the hub has no model {name} at {revision}", "check the name and --revision") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, errors.HfHubHTTPError, OSError):
        hint = "check the connection, or import a folder that was downloaded elsewhere"
        raise MachineError(f"the Hugging Face hub can't be reached, and {name} is not in its cache", hint) from None
    return folder, folder.name
