"""`genie-lite bench coherence`: how true the dream stays, on landscapes that it has never seen."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genie_lite.errors import GenieLiteError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

    from genie_lite.bench.heldout import Truth
    from genie_lite.bench.measures import Dream, Plan, Rollouts, Samples, Track
    from genie_lite.model.checkpoint import Model

NO_MEMORY = "_no_memory"


@dataclass(frozen=True)
class Options:
    """Measure how true the dream stays to a simulator in held-out worlds, with memory and without."""

    world: str = "landscape"
    """The simulator to compare with; its shipped weights are measured unless --checkpoint says otherwise."""
    checkpoint: Path | None = None
    """Weights of your own: a folder that training wrote."""
    quick: bool = False
    """Fewer and shorter measurements, about three minutes on two cores instead of fifteen."""
    episodes: int | None = None
    """Held-out worlds (16, or 8 with --quick); every biome takes its turn."""
    denoising_steps: int = 1
    """Sampling steps a frame."""
    runtime: Literal["auto", "openvino", "eager"] = "auto"
    """What runs the networks."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """Number format; auto measures what this processor does well."""
    threads: int | None = None
    """Processor threads for the networks (all cores if left out)."""
    out: Path = Path("runs/bench")
    """Folder for coherence.png, coherence.json and the videos."""

    def __post_init__(self) -> None:
        for name in ("episodes", "denoising_steps", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name.replace('_', '-')} {value} is too small; give at least 1")

    def plan(self) -> Plan:
        """How much to measure."""
        from genie_lite.bench.measures import Plan

        short = Plan(
            episodes=8, next_frames=8, minute_worlds=2, minute_worlds_no_memory=0, revisit_worlds=2,
            revisit_worlds_no_memory=0, trips=(5,),
        )  # fmt: skip
        plan = short if self.quick else Plan()
        return replace(plan, episodes=self.episodes or plan.episodes)


def main(options: Options, plan: Plan | None = None) -> int:
    """Measures, prints a table and the JSON line, leaves plot, videos and numbers. Raises GenieLiteError."""
    if importlib.util.find_spec("matplotlib") is None:
        raise GenieLiteError('`bench coherence` needs matplotlib: pip install "genie_lite[bench]"')
    from genie_lite.bench.report import save_curves, save_films, show_table, summary_line, write_json
    from genie_lite.engine.shipped import find_checkpoint
    from genie_lite.model.checkpoint import load_model
    from genie_lite.recording.report import prepare_folder

    plan = plan or options.plan()
    checkpoint = find_checkpoint(None if options.checkpoint else options.world, options.checkpoint)
    out = prepare_folder(options.out)
    model = load_model(checkpoint)
    with progress_bar() as bar:
        found = measure(options, plan, model, checkpoint, lambda items, name: bar.track(items, description=name))
    show_table(found.samples)
    save_curves({"memory": found.on.curves, "no memory": found.off.curves, "last frame": found.on.repeated}, out)
    save_films(found.truths, found.on.films, plan.history, out)
    line = summary_line(options.world, plan.episodes, found.samples, found.keys, model.hash)
    write_json(line | {"samples": found.samples}, out / "coherence.json")
    print(json.dumps(line, separators=(",", ":")))
    return 0


@dataclass(frozen=True)
class Found:
    """All that was measured. samples and keys by name; on, off: rollouts with memory and without."""

    samples: Samples
    keys: dict[str, list[bool]]
    on: Rollouts
    off: Rollouts
    truths: list[Truth]


def measure(options: Options, plan: Plan, model: Model, checkpoint: Path, track: Track) -> Found:
    """Runs the whole plan. model: in float32, the judge of pictures; the engines load weights of their own."""
    from genie_lite.bench import measures
    from genie_lite.bench.heldout import record
    from genie_lite.worlds import make_world

    world = make_world(options.world)
    steps = plan.history + plan.horizon
    instants = [plan.history + k * plan.horizon // plan.pictures for k in range(plan.pictures)]
    truths = [record(world, number, steps, instants) for number in track(range(plan.episodes), "truth")]
    on, off = (_dream(options, checkpoint, memory) for memory in (True, False))
    samples = measures.autoencoder_quality(model.autoencoder, truths, track)
    rolled = {}
    for dream in (on, off):
        samples |= measures.next_frames(dream, truths, plan, track)
        rolled[dream.suffix] = measures.rollouts(dream, truths, plan, FILMS, track)
        samples |= rolled[dream.suffix].samples(dream.suffix)
    keys = measures.opposite_keys(on, world, truths, plan, track)
    for dream, worlds in ((on, plan.revisit_worlds), (off, plan.revisit_worlds_no_memory)):
        if worlds:
            samples |= measures.revisits(dream, truths[:worlds], plan, track)
    for dream, worlds in ((on, plan.minute_worlds), (off, plan.minute_worlds_no_memory)):
        if worlds:
            samples |= measures.minutes(dream, model.autoencoder, truths[:worlds], plan, track)
    world.close()
    return Found(samples, keys, rolled[on.suffix], rolled[off.suffix], truths)


FILMS = 4
"""Episodes whose truth and dream are kept as a video."""


def progress_bar() -> Progress:
    """A bar for each measurement, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _dream(options: Options, checkpoint: Path, memory: bool) -> Dream:
    from genie_lite.bench.measures import Dream
    from genie_lite.engine.dream import DreamEngine, EngineOptions

    settings: dict[str, Any] = {
        name: getattr(options, name) for name in ("denoising_steps", "runtime", "dtype", "threads")
    }
    engine = DreamEngine.load(EngineOptions(checkpoint, quality="144p", memory=memory, **settings))
    return Dream(engine, "" if memory else NO_MEMORY)
