"""`genie-lite bench meter`: fits the coherence meter to a checkpoint, and measures how far it can be trusted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from genie_lite.checks import require_least
from genie_lite.errors import GenieLiteError

if TYPE_CHECKING:
    from genie_lite.bench.calibrate import Course
    from genie_lite.bench.trials import Stretch, Trial
    from genie_lite.engine.dream import DreamEngine

Track = Callable[[Sequence[Any], str], Iterable[Any]]
Distance = Callable[[Any, Any], Any]
"""Two stacks of pictures, uint8 (N, 144, 256, 3) -> float (N,), 0 for equal ones and about 1 for unrelated ones."""

NO_MEMORY_EVERY = 3
"""One dream in so many has no memory."""

LEAST = 16
"""Fewer worlds tell nothing about others."""


@dataclass(frozen=True)
class Options:
    """Fit the coherence meter on dreams of worlds that nothing was trained on, each tested by a fit without it."""

    world: str = "landscape"
    """The simulator to compare with; its shipped weights are measured unless --checkpoint says otherwise."""
    checkpoint: Path | None = None
    """Weights of your own: a folder that training wrote."""
    trials: int = 112
    """Dreams, of one world each; some seconds each on one core, the first sixteen a minute. A stopped run goes on."""
    only_fit: bool = False
    """Fit on the dreams that a stopped run left, without dreaming more."""
    check: bool = False
    """Fit nothing: test the meter that is there on worlds that none was ever fitted to."""
    runtime: Literal["auto", "openvino", "eager"] = "auto"
    """What runs the networks."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """Number format; auto takes bf16 where the processor has instructions for it."""
    threads: int | None = None
    """Processor threads for the networks (all cores if left out)."""
    out: Path = Path("runs/meter")
    """Folder for the dreams, about 20 MB each."""

    def __post_init__(self) -> None:
        require_least(self, trials=LEAST, threads=1)


def main(options: Options) -> int:
    """Dreams, fits, tests, and leaves meter.json beside the weights; or only tests it. Raises GenieLiteError."""
    from genie_lite.bench import calibrate
    from genie_lite.bench.coherence import progress_bar
    from genie_lite.engine.protocol import ENGINE
    from genie_lite.engine.shipped import find_checkpoint, find_judge, weights_hash
    from genie_lite.model.judge import load_judge
    from genie_lite.recording.report import prepare_folder
    from genie_lite.session.calibration import METER, read_calibration, write_calibration

    folder = find_checkpoint(None if options.checkpoint else options.world, options.checkpoint)
    judge, checkpoint = load_judge(find_judge(folder, options.world)), weights_hash(folder)
    known = read_calibration(folder, checkpoint) if options.check else None
    if options.check and known is None:
        raise GenieLiteError(f"no fitted meter in {folder}; make one: genie-lite bench meter")
    out = prepare_folder(options.out / f"{checkpoint}-{ENGINE}{'-check' if options.check else ''}")
    with progress_bar() as bar:
        courses = gather(options, folder, out, judge.distance, lambda items, name: bar.track(items, description=name))
    if len({course.world for course in courses}) < LEAST:
        raise GenieLiteError(f"{out} holds fewer than {LEAST} dreams; run again without --only-fit")
    if known is not None:
        found = calibrate.quality([calibrate.judge(known, {}, course) for course in courses])
        found = {name: value for name, value in found.items() if "by_picture" not in name}
    else:
        fitted, found = calibrate.fit(courses, checkpoint), calibrate.quality(calibrate.cross_validated(courses))
        write_calibration(replace(fitted, quality=found), folder / METER)
        print(f"meter   {folder / METER}")
    line = {"bench": "meter", "world": options.world, "check": options.check, **found, "checkpoint": checkpoint}
    print(json.dumps(line, separators=(",", ":")))
    return 0


def gather(options: Options, checkpoint: Path, out: Path, distance: Distance, track: Track) -> list[Course]:
    """All trials as courses: those on disk are read, the others dreamed first."""
    from genie_lite.bench.trials import CHECK_SEED, FIRST_SEED, load_trial, roll_out, save_trial
    from genie_lite.worlds import make_world

    paths = {number: out / f"trial-{number:03d}.npz" for number in range(options.trials)}
    if options.only_fit:
        paths = {number: path for number, path in paths.items() if path.exists()}
    missing = [number for number, path in paths.items() if not path.exists()]
    engines: dict[bool, DreamEngine] = {}
    world = make_world(options.world) if missing else None
    for number in track(missing, "dreams"):
        memory = number % NO_MEMORY_EVERY != NO_MEMORY_EVERY - 1
        if memory not in engines:
            engines[memory] = _engine(options, checkpoint, memory)
        first_seed = CHECK_SEED if options.check else FIRST_SEED
        save_trial(roll_out(engines[memory], world, number, first_seed), paths[number])
    courses = [courses_of(load_trial(path), distance) for path in track(list(paths.values()), "judging")]
    return [course for own in courses for course in own]


def _engine(options: Options, checkpoint: Path, memory: bool) -> DreamEngine:
    from genie_lite.engine.dream import DreamEngine, EngineOptions

    settings: dict[str, Any] = {name: getattr(options, name) for name in ("runtime", "dtype", "threads")}
    return DreamEngine.load(EngineOptions(checkpoint, quality="144p", memory=memory, **settings))


def courses_of(trial: Trial, distance: Distance) -> list[Course]:
    """A trial as the meter sees it: the clean dream, and each harmed one from where the harm begins."""
    from genie_lite.bench.calibrate import Course

    def course(harm: str | None, stretch: Stretch, past: Stretch | None) -> Course:
        signals = signals_of(stretch, past)
        score = (1 - distance(stretch.images, stretch.truths)).clip(0, 1)
        return Course(trial.number, trial.memory, harm, signals, np.asarray(score, np.float64))

    harmed = [course(name, s, trial.clean.until(int(s.steps[0]))) for name, s in trial.harmed.items()]
    return [course(None, trial.clean, None), *harmed]


def signals_of(stretch: Stretch, past: Stretch | None) -> list[dict[str, float]]:
    """The signals of each judged frame of a stretch, after `past`."""
    from genie_lite.bench.trials import frames_of
    from genie_lite.session.signals import Signals

    signals = Signals()
    for frame, action, asked in frames_of(past) if past else ():
        signals.update(frame, action, asked)
    found = (signals.update(frame, action, asked) for frame, action, asked in frames_of(stretch))
    return [one for one in found if one is not None]
