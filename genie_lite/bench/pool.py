"""Measures several worlds at once: one process for each core, each with engines of one thread, since two worlds on two
cores are done sooner than one world on both."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from genie_lite.bench.plan import Tick
from genie_lite.bench.subject import NO_MEMORY, Dream
from genie_lite.bench.world import Instruments, measure_world
from genie_lite.data.workers import set_up_worker
from genie_lite.engine.dream import DreamEngine, EngineOptions
from genie_lite.errors import GenieLiteError
from genie_lite.model.checkpoint import load_model
from genie_lite.model.judge import load_judge
from genie_lite.session.calibration import read_calibration
from genie_lite.worlds import make_world


class Workload(Protocol):
    """What the pool needs to know of a plan."""

    @property
    def episodes(self) -> int:
        """How many worlds."""

    def frames(self, number: int, /) -> int:
        """About how many frames are drawn for one of them."""


Measure = Callable[[int, Any, Instruments, Path, Tick], Any]
"""Measures one world: its number, the plan, instruments, the folder for films, and whom to tell of progress."""


@dataclass(frozen=True)
class Job:
    """What every process needs to know. engine: options but for memory; judge: the folder it lies in."""

    world: str
    engine: EngineOptions
    judge: Path
    plan: Workload
    out: Path


def measure_worlds(job: Job, workers: int, tick: Tick, measure: Measure = measure_world) -> list[Any]:
    """What `measure` gives of every world of the plan, in order. Raises GenieLiteError."""
    numbers = sorted(range(job.plan.episodes), key=job.plan.frames, reverse=True)  # long ones first, to end together
    workers = min(workers, len(numbers))
    outcomes = (
        _with_processes(job, numbers, workers, tick, measure) if workers > 1 else _alone(job, numbers, tick, measure)
    )
    return sorted(outcomes, key=lambda found: found.number)


def instruments(job: Job) -> Instruments:
    """Loads simulator, judge and both settings of the engine. Raises GenieLiteError."""
    on, off = (DreamEngine.load(replace(job.engine, memory=memory)) for memory in (True, False))
    meter = read_calibration(job.engine.checkpoint, on.info.checkpoint_hash)
    dreams = (Dream(on, "", meter), Dream(off, NO_MEMORY, meter))
    # In float32, whatever the engines run in: the measure of all else.
    autoencoder = load_model(job.engine.checkpoint, ("autoencoder",)).autoencoder
    return Instruments(make_world(job.world), dreams, autoencoder, load_judge(job.judge))


def _alone(job: Job, numbers: list[int], tick: Tick, measure: Measure) -> Iterator[Any]:
    tools = instruments(job)
    with closing(tools.world):
        for number in numbers:
            yield measure(number, job.plan, tools, job.out, tick)


def _with_processes(job: Job, numbers: list[int], workers: int, tick: Tick, measure: Measure) -> Iterator[Any]:
    context = multiprocessing.get_context("spawn")  # a forked OpenGL context does not work
    drawn = context.Value("q", 0)
    pool = ProcessPoolExecutor(workers, context, initializer=_set_up_worker, initargs=(job, drawn, measure))
    try:
        pending: set[Future[Any]] = {pool.submit(_measure_in_worker, number) for number in numbers}
        told = 0
        while pending:
            done, pending = wait(pending, timeout=0.5)
            now = drawn.value
            tick(now - told)
            told = now
            yield from (future.result() for future in done)
    except BrokenProcessPool as error:
        raise GenieLiteError("a measuring process died (out of memory?): run again with fewer --threads") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: dict[str, Any] = {}
"""What a worker process works with."""


def _set_up_worker(job: Job, drawn: Any, measure: Measure) -> None:
    set_up_worker()
    _worker.update(job=job, drawn=drawn, measure=measure)


def _measure_in_worker(number: int) -> Any:
    job, drawn = _worker["job"], _worker["drawn"]
    if "tools" not in _worker:
        _worker["tools"] = instruments(job)

    def tick(frames: int) -> None:
        with drawn.get_lock():
            drawn.value += frames

    return _worker["measure"](number, job.plan, _worker["tools"], job.out, tick)
