"""Gates on evaluations: checked against the recorded figures, also when nothing is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lmcli.errors import GateError
from lmcli.project.project import Project


def check(name: str, gates: Sequence[str], figures: Mapping[str, float]) -> list[str]:
    """A line for each gate of the evaluation `name`. Raises GateError (exit 8) naming all that do not hold."""
    from lmcli.evaluation.gates import failures

    failed = failures(gates, figures)
    if failed:
        raise GateError(f"{name}: {'; '.join(failed)}", f"`lmcli show {name}` prints all figures")
    return [f"{gate} holds" for gate in gates]


def recheck(project: Project, names: Sequence[str]) -> None:
    """Check the gates that lmcli.toml sets for the evaluations among `names`."""
    entries = project.manifest().entries
    for name, table in project.document.table("eval").items():
        if name in names and name in entries and isinstance(table, Mapping):
            check(name, table.get("gates", ()), entries[name].report["figures"])
