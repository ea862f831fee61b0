"""lmcli env."""

from __future__ import annotations

from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown

PACKAGES = ("lmcli", "torch", "tokenizers", "datasets", "safetensors", "numpy", "pyarrow", "transformers", "typer")


@command()
def env(session: Session) -> Shown:
    """Print versions, processors, memory and devices, for bug reports. Nothing personal is in it.

    \b
    lmcli env --json > env.json
    """
    import importlib.metadata
    import os
    import platform

    from lmcli.cores import cores
    from lmcli.models.config import ComputeConfig
    from lmcli.models.device import resolve_compute

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    compute = resolve_compute(ComputeConfig())
    data = {
        **versions,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "device": compute.device,
        "dtype": compute.dtype,
    }
    return Shown(data, [f"{key}: {value}" for key, value in data.items()])
