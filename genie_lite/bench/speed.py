"""`genie-lite bench speed`: the frame rate end to end, and where a frame's time goes."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genie_lite.checks import require_least
from genie_lite.errors import GenieLiteError, OutputError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from genie_lite.bench.machine import Card
    from genie_lite.bench.window import Run
    from genie_lite.engine.dream import DreamEngine

HEADLINE = "1280x720"
"""The size whose numbers the last line tells."""


@dataclass(frozen=True)
class EngineFlags:
    """Flags of every benchmark that plays the dream."""

    world: str | None = None
    """A world whose weights come with genie_lite (landscape if left out)."""
    checkpoint: Path | None = None
    """Weights of your own: a folder that training wrote."""
    memory: Literal["on", "off"] = "on"
    """Spatial memory."""
    runtime: Literal["auto", "openvino", "eager"] = "auto"
    """What runs the networks."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """Number format; auto takes bf16 where the processor has instructions for it."""
    threads: int | None = None
    """Processor threads for the networks (all cores if left out)."""
    seed: int = 0
    """World and walk: the same seed draws the same frames."""

    def __post_init__(self) -> None:
        require_least(self, threads=1, seed=0)


@dataclass(frozen=True)
class Options(EngineFlags):
    """Measure the frame rate of the window's whole loop, on the autopilot and without pacing."""

    sizes: tuple[Literal["720p", "360p", "144p"], ...] = ("720p", "360p", "144p")
    """Pictures to measure, one after the other; all are shown in a window of 1280x720."""
    frames: int = 480
    """Frames to measure for each size."""
    warm_up: int = 48
    """Frames to play before that."""
    out: Path = Path("runs/bench")
    """Folder for speed.png and speed.json."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sizes:
            raise UsageError("--sizes needs at least one of 720p, 360p, 144p")
        require_least(self, frames=2, warm_up=1)


def main(options: Options) -> int:
    """Measures, prints a table and the JSON line, leaves a plot; returns the exit status. Raises GenieLiteError."""
    require_packages("bench speed", "matplotlib", "psutil")
    from genie_lite.bench.machine import environment_card
    from genie_lite.bench.plot import save_plot
    from genie_lite.bench.window import run_window
    from genie_lite.conditions import Conditions
    from genie_lite.engine.shipped import find_checkpoint

    checkpoint = find_checkpoint(options.world, options.checkpoint)
    out = _folder(options.out)
    runs, card = [], None
    for size in options.sizes:
        print(f"measuring {size}: {options.warm_up} + {options.frames} frames", file=sys.stderr)
        engine = load_engine(options, checkpoint, size)
        card = card or environment_card(engine.info)
        start = Conditions(meadow=1.0)
        runs.append(run_window(engine, start, options.seed, options.warm_up, options.frames, out))
    assert card is not None
    _print_tables(card, runs)
    save_plot(runs, f"{card.cpu}, {card.threads} threads, {card.runtime} {card.dtype}", out / "speed.png")
    result = _result(card, runs)
    _write(out / "speed.json", result | {"card": asdict(card), "runs": [_detail(run) for run in runs]})
    print(f"plot  {out / 'speed.png'}")
    print(json.dumps(result, separators=(",", ":")))
    return 0


def require_packages(command: str, *packages: str) -> None:
    """Raises GenieLiteError, which says what to install, unless all of them can be imported."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise GenieLiteError(f'`{command}` needs {" and ".join(missing)}: pip install "genie_lite[bench]"')


def load_engine(flags: EngineFlags, checkpoint: Path, quality: str) -> DreamEngine:
    """The dream as the flags ask for it. Raises CheckpointError or UsageError."""
    from genie_lite.engine.dream import DreamEngine, EngineOptions

    return DreamEngine.load(
        EngineOptions(
            checkpoint,
            quality=quality,
            memory=flags.memory == "on",
            runtime=flags.runtime,
            dtype=flags.dtype,
            threads=flags.threads,
        )
    )


def _result(card: Card, runs: list[Run]) -> dict[str, Any]:
    """The line that machines read: p50 of each stage; null where the headline size was not measured."""
    from genie_lite.bench.window import STAGES

    run = next((run for run in runs if run.size == HEADLINE), None)
    p50, p95, p99 = run.percentiles("total") if run else (None, None, None)
    return {
        "bench": "speed",
        "size": HEADLINE,
        "fps": round(run.fps, 2) if run else None,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "stages_ms": {name: run.percentiles(name)[0] if run else None for name in STAGES},
        "rss_mb": run.rss_mb if run else None,
        "dtype": card.dtype,
        "threads": card.threads,
        "cpu": card.cpu,
        "checkpoint": card.checkpoint,
        "sizes": {run.size: round(run.fps, 2) for run in runs},
    }


def _detail(run: Run) -> dict[str, Any]:
    """Everything measured for one size: percentiles of every stage in milliseconds."""
    stages = {name: dict(zip(("p50", "p95", "p99"), run.percentiles(name), strict=True)) for name in run.milliseconds}
    return {
        "size": run.size,
        "frames": run.frames,
        "fps": round(run.fps, 2),
        "rss_mb": run.rss_mb,
        "stages_ms": stages,
    }


def card_table(card: Card) -> Table:
    """What the numbers below it were measured on."""
    from rich.table import Table

    about = Table(title="machine", show_header=False)
    for name, value in asdict(card).items():
        about.add_row(name, "-" if value is None else str(value))
    return about


def _print_tables(card: Card, runs: list[Run]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(card_table(card))
    table = Table(title="milliseconds a frame: p50 / p95 / p99", caption="window 1280x720, SDL dummy driver, unpaced")
    table.add_column("stage")
    for run in runs:
        table.add_column(run.size, justify="right")
    for stage in runs[0].milliseconds:
        cells = (" / ".join(f"{value:.1f}" for value in run.percentiles(stage)) for run in runs)
        table.add_row(stage, *cells, style="bold" if stage == "total" else None)
    table.add_section()
    table.add_row("fps", *(f"{run.fps:.1f}" for run in runs), style="bold")
    table.add_row("memory, MB", *(f"{run.rss_mb:.0f}" for run in runs))
    console.print(table)


def _folder(path: Path) -> Path:
    """The folder, made if need be and found writable before minutes of measuring. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {path} ({error.strerror}); give another folder with --out") from error
    if not os.access(path, os.W_OK):
        raise OutputError(f"cannot write into {path}; give another folder with --out")
    return path


def _write(path: Path, result: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); give another folder with --out") from error
