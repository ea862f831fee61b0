"""From a plan to weights: the one loop, its optimizers and schedules, the state of a run on disk, and the planner."""
