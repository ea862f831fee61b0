"""The course of a run as the manifest keeps it: enough to take it again, step for step, where the run is gone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lmcli.models.config import ComputeConfig
from lmcli.models.device import resolve_compute
from lmcli.progress import Progress
from lmcli.training.plan import REPLAN_AT, Plan, Replan
from lmcli.training.shared_run import Run
from lmcli.training.world import World


@dataclass(frozen=True, slots=True)
class Course:
    """A plan, and what a time budget made of it on the way; nothing where the length was no time."""

    plan: Plan
    replans: tuple[Replan, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**self.plan.to_json(), "replans": [dataclasses.asdict(replan) for replan in self.replans]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Course:
        """The course that `to_json` wrote. Raises ArtifactError for anything else."""
        plan = Plan.from_json({key: value for key, value in values.items() if key != "replans"})
        return cls(plan, tuple(Replan(**item) for item in values.get("replans", ())))


def known_course(course: Course | None, config: ComputeConfig, world: World) -> Course | None:
    """`course`, unless this machine has another kind of device or is quicker in another precision: the weights would be
    others, or take much longer. Rank 0 decides, for all must do the same."""
    known = course.to_json() if course and _suits(course.plan, config) else None
    heard = world.first(known)
    return Course.from_json(heard) if heard else None


def _suits(plan: Plan, config: ComputeConfig) -> bool:
    here = resolve_compute(config)
    return torch.device(here.device).type == torch.device(plan.device).type and here.dtype == plan.dtype


def begin(run: Run, plan: Plan, course: Course | None, progress: Progress) -> None:
    """Begin a run. Where it takes a `course` that was taken before, the clock changes nothing more about it."""
    run.begin(plan)
    if course and plan.budget:
        known = course.replans or (Replan(0, plan.pace.steps),)
        for replan in (*known, *[known[-1]] * (len(REPLAN_AT) - len(known))):  # the same once more changes nothing
            run.log_replan(replan)
        progress.say(f"{run.timeline.steps} steps, as lmcli.lock has them; --force measures this machine anew")


def course_of(plan: Plan, replans: Sequence[Replan]) -> Course:
    """The course of a run that is over, without re-plans that changed nothing."""
    kept = [replan for replan in dict.fromkeys(replans) if replan != Replan(0, plan.pace.steps)]
    return Course(plan, tuple(kept))
