"""The course of a run as the manifest keeps it: enough to take it again, step for step, where the run is gone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lmcli.models.config import ComputeConfig
from lmcli.models.device import resolve_compute
from lmcli.progress import Progress
from lmcli.training.plan import Plan, Replan
from lmcli.training.shared_run import Run


@dataclass(frozen=True, slots=True)
class Course:
    """A plan, and what a time budget made of it on the way; None where the length was no time."""

    plan: Plan
    replan: Replan | None = None

    def to_json(self) -> dict[str, Any]:
        return {**self.plan.to_json(), "replan": dataclasses.asdict(self.replan) if self.replan else None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Course:
        """The course that `to_json` wrote. Raises ArtifactError for anything else."""
        replan = values.get("replan")
        plan = Plan.from_json({key: value for key, value in values.items() if key != "replan"})
        return cls(plan, Replan(**replan) if replan else None)


def known_course(course: Course | None, config: ComputeConfig) -> Course | None:
    """`course`, unless this machine would take it on another kind of device, at another pace and to other weights."""
    if course is None:
        return None
    kinds = {torch.device(name).type for name in (course.plan.device, resolve_compute(config).device)}
    return course if len(kinds) == 1 else None


def begin(run: Run, course: Course, progress: Progress) -> None:
    """Begin a run that is to take `course`; one that was taken before has its end already."""
    run.begin(course.plan)
    if course.replan:
        run.log_replan(course.replan)
        steps = course.replan.steps
        progress.say(f"{steps} steps, as lmcli.lock has them; --force measures this machine anew")


def course_of(plan: Plan, replan: Replan | None) -> Course:
    """The course of a run that is over. A time that was never fitted to the clock anew is not to be when it is taken
    again, so it gets a re-plan that changes nothing."""
    if plan.budget and replan is None:
        replan = Replan(0, plan.pace.steps)
    return Course(plan, replan)
