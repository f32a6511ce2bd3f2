"""`genie-lite bench simulator`: how many frames a second a world makes on one core, and where their time goes."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genie_lite.checks import require_least
from genie_lite.timing import Clock

if TYPE_CHECKING:
    import numpy as np

WARM_UP = 24
"""Steps before anything is measured."""


@dataclass(frozen=True)
class Options:
    """Walk through a simulator as `collect` does, one process, all kinds of walks and weather, and time its steps."""

    world: str = "landscape"
    """The simulator to measure."""
    episodes: int = 12
    """How many walks, each in a new country."""
    steps: int = 240
    """Frames an episode, 24 a second of its time."""
    seed: int = 0
    """The first of the walks: the same seed walks the same way."""

    def __post_init__(self) -> None:
        require_least(self, episodes=1, steps=2, seed=0)


@dataclass
class Measured:
    """Milliseconds: of every step and every reset, and of each stage that the world tells."""

    steps: list[float] = field(default_factory=list)
    resets: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)

    @property
    def fps(self) -> float:
        """Frames a second of the steps alone."""
        return 1e3 * len(self.steps) / sum(self.steps)

    def stage_means(self) -> dict[str, float]:
        """Milliseconds a step by stage, and "rest", what no stage accounts for; they add up to the mean step."""
        means = {name: sum(values) / len(self.steps) for name, values in self.stages.items()}
        return {**means, "rest": sum(self.steps) / len(self.steps) - sum(means.values())} if means else {}


def main(options: Options, clock: Clock = time.perf_counter) -> int:
    """Measures, prints a table and the JSON line; returns the exit status. Raises UsageError, RenderError.

    clock is injected by tests.
    """
    from contextlib import closing

    from genie_lite.worlds import make_world

    # All of Mesa's software renderer in this thread: what one core does, as in a worker of `collect`.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    with closing(make_world(options.world)) as world:
        found = measure(world.unwrapped, options, clock)
    result = _result(found, options)
    _print_table(result)
    print(json.dumps(result, separators=(",", ":")))
    return 0


def measure(world: Any, options: Options, clock: Clock) -> Measured:
    """Walks all episodes; the first steps of all are thrown away."""
    found = Measured()
    _walk(world, options.seed, WARM_UP, Measured(), clock)
    for number in range(options.episodes):
        _walk(world, options.seed + number, options.steps, found, clock)
    return found


def _walk(world: Any, seed: int, steps: int, found: Measured, clock: Clock) -> None:
    import numpy as np

    from genie_lite.data.policies import ConditionsDrift, conditions_of, pick_policy

    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)]
    conditions = conditions_of(world, streams[0])
    policy, drift = pick_policy(streams[1], steps), ConditionsDrift(streams[2], conditions, steps)
    began = clock()
    _, info = world.reset(seed=seed, options={"conditions": conditions})
    found.resets.append((clock() - began) * 1e3)
    for t in range(1, steps):
        action: np.ndarray[Any, Any] = policy.act(info.get("blocked", False)).to_array()
        following = drift.at(t)
        if following is not conditions:
            conditions = following
            world.set_conditions(conditions)
        began = clock()
        *_, info = world.step(action)
        found.steps.append((clock() - began) * 1e3)
        for name, value in info.get("timings", {}).items():
            found.stages.setdefault(name, []).append(value)


def _result(found: Measured, options: Options) -> dict[str, Any]:
    """The line that machines read."""
    import numpy as np

    from genie_lite.bench.machine import cpu_name
    from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH

    p50, p95, p99 = (round(float(v), 2) for v in np.percentile(found.steps, (50, 95, 99)))
    return {
        "bench": "simulator",
        "world": options.world,
        "size": f"{FRAME_WIDTH}x{FRAME_HEIGHT}",
        "frames": len(found.steps),
        "fps": round(found.fps, 1),
        "mean_ms": round(sum(found.steps) / len(found.steps), 3),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "reset_ms": round(sum(found.resets) / len(found.resets), 1),
        "stages_ms": {name: round(value, 3) for name, value in found.stage_means().items()},
        "lp_num_threads": os.environ.get("LP_NUM_THREADS"),
        "cpu": cpu_name(),
    }


def _print_table(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{result['world']}: milliseconds a step, {result['size']} with depth", caption=result["cpu"])
    table.add_column("")
    table.add_column("ms", justify="right")
    for name, value in result["stages_ms"].items():
        table.add_row(name, f"{value:.2f}")
    table.add_section()
    for name in ("mean_ms", "p50_ms", "p95_ms", "p99_ms"):
        table.add_row(f"step, {name.removesuffix('_ms')}", f"{result[name]:.2f}")
    table.add_row("reset, mean", f"{result['reset_ms']:.1f}")
    table.add_row("frames a second", f"{result['fps']:.1f}", style="bold")
    Console().print(table)
