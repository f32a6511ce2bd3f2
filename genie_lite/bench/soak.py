"""`genie-lite bench soak`: whether a long visit keeps its pace and its memory."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from genie_lite.bench.speed import EngineFlags, card_table, load_engine, require_packages
from genie_lite.checks import require_least
from genie_lite.timing import Clock

if TYPE_CHECKING:
    from rich.table import Table

    from genie_lite.bench.machine import Card
    from genie_lite.engine.protocol import Engine
    from genie_lite.play.loop import PlayLoop

MINUTE = 60.0
"""Seconds of wall time."""

MOST_GROWTH = 20.0
"""Megabytes (10^6 bytes): resident memory has to grow by less after the first minute."""

MOST_CHANGE = 0.05
"""How far the last minute's time a frame may be from the second's, either way: a faster one was disturbed before."""


@dataclass(frozen=True)
class Options(EngineFlags):
    """Play the dream at 1280x720 for minutes, unpaced and on the autopilot, and see what grows and what slows down."""

    minutes: int = 10
    """Minutes of wall time, at least 3: the first warms up, and the last is compared with the second."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, minutes=3)


@dataclass(frozen=True, slots=True)
class Minute:
    """What one minute of wall time cost.

    frames: drawn in it; p50_ms: milliseconds from one frame to the next, median; rss_mb: resident memory at its end.
    """

    frames: int
    p50_ms: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Soak:
    """The minutes, three at least, in their order."""

    minutes: tuple[Minute, ...]

    @property
    def growth_mb(self) -> float:
        """Resident memory at the end beyond that after the first minute, in megabytes (10^6 bytes)."""
        return self.minutes[-1].rss_mb - self.minutes[0].rss_mb

    @property
    def pace(self) -> float:
        """The last minute's time a frame over the second's: 1 is no change, above 1 is slower."""
        return self.minutes[-1].p50_ms / self.minutes[1].p50_ms

    @property
    def kept(self) -> dict[str, bool]:
        """Which of the two targets were reached."""
        return {"growth": self.growth_mb < MOST_GROWTH, "pace": abs(self.pace - 1) <= MOST_CHANGE}


def main(options: Options, make_engine: Callable[[], Engine] | None = None, clock: Clock = time.perf_counter) -> int:
    """Plays, prints tables and the JSON line; returns 0 whether or not the targets are reached. Raises GenieLiteError.

    make_engine and clock are injected by tests.
    """
    require_packages("bench soak", "psutil")
    from rich.console import Console

    from genie_lite.bench.machine import environment_card

    engine = make_engine() if make_engine else _engine(options)
    print(f"playing for {options.minutes} minutes", file=sys.stderr)
    found = soak(engine, options.seed, options.minutes, clock)
    card = environment_card(engine.info)
    console = Console()
    for table in (card_table(card), _minutes_table(found), _targets_table(found)):
        console.print(table)
    width, height = engine.info.size
    print(json.dumps(_result(found, card, f"{width}x{height}"), separators=(",", ":")))
    return 0


def soak(engine: Engine, seed: int, minutes: int, clock: Clock) -> Soak:
    """Plays so many minutes of the clock's time. Raises DisplayError, and what the engine raises."""
    from genie_lite.bench.window import unseen_loop
    from genie_lite.conditions import Conditions

    with unseen_loop(engine, Conditions(meadow=1.0), seed, Path()) as loop:
        began = clock()
        return Soak(tuple(_minute(loop, clock, began, number) for number in range(1, minutes + 1)))


def _minute(loop: PlayLoop, clock: Clock, began: float, number: int) -> Minute:
    """Plays until that minute is over, and at least one frame, for a machine may have slept."""
    from genie_lite.bench.machine import resident_mb
    from genie_lite.bench.window import tick

    milliseconds: list[float] = []
    now = clock()
    while not milliseconds or now < began + number * MINUTE:
        tick(loop)
        before, now = now, clock()
        milliseconds.append((now - before) * 1e3)
    minute = Minute(len(milliseconds), round(median(milliseconds), 2), resident_mb())
    print(f"minute {number}: {minute.p50_ms:.1f} ms a frame, {minute.rss_mb:.0f} MB", file=sys.stderr)
    return minute


def _engine(options: Options) -> Engine:
    from genie_lite.engine.shipped import find_checkpoint

    return load_engine(options, find_checkpoint(options.world, options.checkpoint), "720p")


def _result(found: Soak, card: Card, size: str) -> dict[str, Any]:
    """The line that machines read; p50_ms and rss_mb by minute."""
    minutes = found.minutes
    return {
        "bench": "soak",
        "size": size,
        "minutes": len(minutes),
        "frames": sum(minute.frames for minute in minutes),
        "growth_mb": round(found.growth_mb, 1),
        "pace": round(found.pace, 4),
        "kept": found.kept,
        "p50_ms": [minute.p50_ms for minute in minutes],
        "rss_mb": [minute.rss_mb for minute in minutes],
        "dtype": card.dtype,
        "threads": card.threads,
        "cpu": card.cpu,
        "checkpoint": card.checkpoint,
    }


def _minutes_table(found: Soak) -> Table:
    from rich.table import Table

    table = Table(title="minute by minute", caption="window 1280x720, SDL dummy driver, unpaced")
    for head in ("minute", "frames", "ms a frame, p50", "memory, MB"):
        table.add_column(head, justify="right")
    for number, minute in enumerate(found.minutes, 1):
        table.add_row(str(number), str(minute.frames), f"{minute.p50_ms:.2f}", f"{minute.rss_mb:.1f}")
    return table


def _targets_table(found: Soak) -> Table:
    from rich.table import Table

    table = Table(title="targets")
    for head in ("", "measured", "target", "reached"):
        table.add_column(head)
    kept = {name: "yes" if reached else "no" for name, reached in found.kept.items()}
    growth = f"{found.growth_mb:+.1f} MB", f"below {MOST_GROWTH:.0f} MB"
    pace = f"{found.pace - 1:+.1%}", f"within {MOST_CHANGE:.0%}"
    table.add_row("memory since the first minute", *growth, kept["growth"])
    table.add_row("frame time, last against second minute", *pace, kept["pace"])
    return table
