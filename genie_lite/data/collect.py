"""Collects episodes with several processes at once; what is there already is kept, so a stopped run goes on.

Nothing heavy is imported before work begins, so that the command line can describe the options at once.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genie_lite.checks import require_least
from genie_lite.errors import DataError, GenieLiteError, OutputError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

SPLIT_SEEDS = {"train": 0, "validation": 1_000_000, "test": 2_000_000}
"""The first seed of each split; each has SEEDS_PER_SPLIT of its own, so splits never share a world."""
SEEDS_PER_SPLIT = 1_000_000


@dataclass(frozen=True)
class Options:
    """Record a world: frames, depth, poses, actions and conditions for training. A stopped run goes on where it was."""

    world: str = "landscape"
    """The simulator to record."""
    out: Path = Path("data/landscape")
    """The folder to fill; each split has a folder of its own inside."""
    split: Literal["train", "validation", "test"] = "train"
    """Which seeds to use: those of different splits never overlap."""
    episodes: int = 200
    """How many episodes there shall be from --seed on, those already there included."""
    steps: int = 240
    """Frames an episode, 24 a second."""
    pictures: int = 2
    """How many frames of each episode are also rendered at 1280x720, 2.8 MB each."""
    workers: int = 1
    """Processes that simulate at the same time; the result does not depend on it."""
    seed: int = 0
    """The number of the first episode within the split: more can be added later, or by another machine."""

    def __post_init__(self) -> None:
        require_least(self, episodes=1, steps=2, pictures=0, workers=1, seed=0)
        if self.split not in SPLIT_SEEDS:
            raise UsageError(f"unknown split {self.split!r}; choose one of {', '.join(SPLIT_SEEDS)}")
        if self.seed + self.episodes > SEEDS_PER_SPLIT:
            raise UsageError(f"--seed + --episodes must stay within the {SEEDS_PER_SPLIT} seeds of a split")

    @property
    def seeds(self) -> range:
        """The seeds of the episodes asked for."""
        first = SPLIT_SEEDS[self.split] + self.seed
        return range(first, first + self.episodes)

    @property
    def recipe(self) -> str:
        """What two episodes of one collection must share beside world and split."""
        return f"steps={self.steps} pictures={self.pictures}"


@dataclass(frozen=True)
class Collected:
    """What a collection did: episodes and frames recorded now, episodes kept from before, bytes written, seconds."""

    episodes: int
    frames: int
    kept: int
    bytes: int
    seconds: float


def main(options: Options) -> int:
    """Collects, says what was done, and returns the exit status 0."""
    from rich.console import Console

    done = collect(options)
    rate = done.frames / done.seconds if done.seconds else 0.0
    Console(stderr=True).print(
        f"{done.episodes} episodes, {done.frames} frames recorded ({rate:.0f} frames/s, {done.bytes / 1e6:.0f} MB), "
        f"{done.kept} were there already: {options.out / options.split}",
        soft_wrap=True,
    )
    return 0


def collect(options: Options, progress: bool = True) -> Collected:
    """Records the episodes that are missing, each written whole or not at all.

    Raises UsageError (unknown world), RenderError (no OpenGL), OutputError (the disk refuses), and DataError when the
    folder holds another collection or an episode failed. Whatever was recorded by then stays.
    """
    begin, kept, missing = time.perf_counter(), 0, []
    for seed in options.seeds:
        if _is_there(options, seed):
            kept += 1
        else:
            missing.append(seed)
    episodes = frames = size = 0
    failures: list[str] = []
    with _progress_bar(progress and bool(missing)) as bar:
        task = bar.add_task(options.split, total=len(missing) * options.steps, rate="-")
        for seed, outcome in _outcomes(options, missing):
            if isinstance(outcome, str):
                failures.append(f"episode {seed}: {outcome}")
            else:
                episodes, frames, size = episodes + 1, frames + outcome[0], size + outcome[1]
            bar.update(task, advance=options.steps, rate=round(frames / (time.perf_counter() - begin)))
    if failures:
        raise DataError(
            f"{len(failures)} of {len(missing)} episodes failed (first: {failures[0]}); the others are kept, "
            "run the same command again for the rest"
        )
    return Collected(episodes, frames, kept, size, time.perf_counter() - begin)


def _is_there(options: Options, seed: int) -> bool:
    """Whether a whole episode of this very collection exists. Raises DataError when it is of another one."""
    from genie_lite.data.episodes import episode_path, read_episode

    path = episode_path(options.out, options.split, seed)
    if not path.exists():
        return False
    try:
        episode = read_episode(path)
    except DataError:
        return False
    found = (episode.world, episode.split, episode.seed, episode.recipe)
    if found != (options.world, options.split, seed, options.recipe):
        raise DataError(
            f"{path} is of the {episode.world} world with {episode.recipe}, not {options.world} with {options.recipe}: "
            "choose another --out"
        )
    return True


Outcome = tuple[int, int] | str
"""Frames and bytes of a recorded episode, or why it failed."""


def _outcomes(options: Options, seeds: list[int]) -> Iterator[tuple[int, Outcome]]:
    """Each seed with its outcome, in the order they are done. Raises what would stop every other episode too."""
    from genie_lite.data.episodes import clean_drafts
    from genie_lite.worlds import make_world

    clean_drafts(options.out / options.split)
    if not seeds:
        return
    if options.workers > 1:
        yield from _with_processes(options, seeds)
        return
    with closing(make_world(options.world)) as world:
        for seed in seeds:
            yield seed, _attempt(world, options, seed)


def _with_processes(options: Options, seeds: list[int]) -> Iterator[tuple[int, Outcome]]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    from genie_lite.data.workers import set_up_worker

    # spawn: a forked OpenGL context does not work
    context, workers = multiprocessing.get_context("spawn"), min(options.workers, len(seeds))
    # At Ctrl-C they finish their episodes.
    pool = ProcessPoolExecutor(workers, context, initializer=set_up_worker, initargs=(signal.SIG_IGN,))
    try:
        jobs = {pool.submit(_attempt_in_worker, options, seed): seed for seed in seeds}
        for job in as_completed(jobs):
            yield jobs[job], job.result()
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process died (out of memory?); what it had finished is kept, "
            "run the same command again, with fewer --workers if it happens again"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@cache
def _worker_world(name: str) -> Any:
    """The one world of a worker process."""
    from genie_lite.worlds import make_world

    return make_world(name)


def _attempt_in_worker(options: Options, seed: int) -> Outcome:
    return _attempt(_worker_world(options.world), options, seed)


def _attempt(world: Any, options: Options, seed: int) -> Outcome:
    """Records and writes one episode. A GenieLiteError (disk full, no OpenGL) is raised, any other error returned."""
    from genie_lite.data.episodes import episode_path, write_episode
    from genie_lite.data.record import record_episode

    try:
        episode = record_episode(
            world, options.world, options.split, seed, options.steps, options.pictures, options.recipe
        )
        path = episode_path(options.out, options.split, seed)
        write_episode(path, episode)
        return len(episode), path.stat().st_size
    except GenieLiteError:
        raise
    except MemoryError as error:
        raise OutputError("out of memory: choose fewer --workers or fewer --steps") from error
    except Exception as error:  # whatever a world does wrong shall not cost the other episodes
        return f"{type(error).__name__}: {error}"


def _progress_bar(shown: bool) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames  {task.fields[rate]} frames/s"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=not shown)
