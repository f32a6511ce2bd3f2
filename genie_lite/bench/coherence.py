"""`genie-lite bench coherence`: how true the dream stays, on landscapes that it has never seen."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from genie_lite.checks import require_least
from genie_lite.errors import GenieLiteError

if TYPE_CHECKING:
    from rich.progress import Progress

    from genie_lite.bench.plan import Plan
    from genie_lite.bench.pool import Job, Workload


@dataclass(frozen=True)
class HeldOutFlags:
    """What is measured in held-out worlds, and with what."""

    world: str = "landscape"
    """The simulator to compare with; its shipped weights are measured unless --checkpoint says otherwise."""
    checkpoint: Path | None = None
    """Weights of your own: a folder that training wrote."""
    quick: bool = False
    """Fewer and shorter measurements, about two minutes on two cores."""
    episodes: int | None = None
    """Held-out worlds; every biome takes its turn. By default 8, with --quick fewer."""
    denoising_steps: int = 1
    """Sampling steps a frame."""
    runtime: Literal["auto", "openvino", "eager"] = "auto"
    """What runs the networks."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """Number format; auto takes bf16 where the processor has instructions for it."""
    threads: int | None = None
    """Worlds measured at once, each on a processor core of its own (all cores if left out)."""
    out: Path = Path("runs/bench")
    """Folder for pictures and numbers."""

    def __post_init__(self) -> None:
        require_least(self, episodes=1, denoising_steps=1, threads=1)

    def job(self, plan: Workload) -> Job:
        """What to measure and with what; checked before minutes are spent. Raises GenieLiteError."""
        from genie_lite.bench.pool import Job
        from genie_lite.engine.dream import EngineOptions
        from genie_lite.engine.shipped import find_checkpoint, find_judge
        from genie_lite.recording.report import prepare_folder

        checkpoint = find_checkpoint(None if self.checkpoint else self.world, self.checkpoint)
        engine = EngineOptions(
            checkpoint, quality="144p", runtime=self.runtime, dtype=self.dtype, threads=1,
            denoising_steps=self.denoising_steps,
        )  # fmt: skip
        return Job(self.world, engine, find_judge(checkpoint, self.world), plan, prepare_folder(self.out))


@dataclass(frozen=True)
class Options(HeldOutFlags):
    """Measure how true the dream stays to a simulator in held-out worlds, with memory and without."""

    horizon: int | None = None
    """Seconds of each walk beside the simulator (60, or 10 with --quick)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, horizon=1)

    def plan(self) -> Plan:
        """How much to measure."""
        from genie_lite.actions import STEPS_PER_SECOND
        from genie_lite.bench.plan import QUICK, Plan

        plan = QUICK if self.quick else Plan()
        horizon = self.horizon * STEPS_PER_SECOND if self.horizon else plan.horizon
        return replace(plan, horizon=horizon).with_episodes(self.episodes or plan.episodes)


def main(options: Options, plan: Plan | None = None) -> int:
    """Measures, prints tables and the JSON line, leaves plots, sheet, videos and numbers. Raises GenieLiteError."""
    if importlib.util.find_spec("matplotlib") is None:
        raise GenieLiteError('`bench coherence` needs matplotlib: pip install "genie_lite[bench]"')
    from genie_lite.bench.pictures import save_curves, save_moments
    from genie_lite.bench.pool import measure_worlds
    from genie_lite.bench.report import show, summary_line, write_json
    from genie_lite.bench.summary import summarise
    from genie_lite.engine.runtime import available_cores
    from genie_lite.engine.shipped import weights_hash
    from genie_lite.model.judge import load_judge

    plan = plan or options.plan()
    job = options.job(plan)
    judge, weights = load_judge(job.judge), weights_hash(job.engine.checkpoint)
    with progress_bar() as bar:
        task = bar.add_task("frames", total=sum(map(plan.frames, range(plan.episodes))))
        worlds = measure_worlds(job, options.threads or available_cores(), lambda n: bar.update(task, advance=n))
        bar.update(task, description="summing up")
        summary = summarise(worlds, judge)
    show(summary)
    save_curves(summary, job.out)
    save_moments(worlds, job.out)
    line = summary_line(options.world, plan, summary, weights)
    write_json(line | summary.details(), job.out / "coherence.json")
    print(json.dumps(line, separators=(",", ":")))
    return 0


def progress_bar() -> Progress:
    """A bar for each measurement, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
