"""`genie-lite sessions`: what became of past visits, one by one, and whether equal ones got better or worse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from genie_lite.checks import printable
from genie_lite.commands.visit import SESSIONS
from genie_lite.engine.protocol import EngineInfo
from genie_lite.recording.history import MEASURES, Group, PastSession, Trend, grouped, read_sessions

if TYPE_CHECKING:
    from rich.table import Table

PAGE = 120
"""Columns that the tables take at least: a terminal that is narrower breaks their lines more legibly than cells."""

SHORT = {"bfloat16": "bf16", "float32": "fp32"}
"""Number formats by the names that flags give them."""

NUMBERS = {
    "world_time_s": ("seconds", 1),
    "fps": ("fps", 1),
    "fps_possible": ("possible", 1),
    "coherence_mean": ("coherence", 2),
    "coherence_lowest": ("lowest", 2),
    "half_life_s": ("half-life", 0),
}
"""What is told of a session in numbers: column and digits."""


@dataclass(frozen=True)
class Options:
    """Sum up past sessions, and tell how frame rate, coherence and half-life change among equal ones."""

    path: tyro.conf.Positional[Path | None] = None
    """A folder of sessions (sessions if left out)."""
    json: bool = False
    """Print one JSON document instead of tables."""


def main(options: Options) -> int:
    """Prints tables or JSON; returns the exit status. Raises RecordingError where the folder cannot be searched."""
    folder = options.path or SESSIONS
    sessions, problems = read_sessions(folder)
    groups = grouped(sessions)
    if options.json:
        print(json.dumps(_document(folder, sessions, groups, problems), indent=2, allow_nan=False))
        return 0
    if sessions:
        _show(_session_table(sessions), _group_table(groups))
    else:
        print(f"no sessions in {printable(str(folder))}; make one with: genie-lite play")
    for problem in problems:
        print(f"left out: {problem}")
    return 0


def _document(
    folder: Path, sessions: Sequence[PastSession], groups: Sequence[Group], problems: Sequence[str]
) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "sessions": [_plain_session(session) for session in sessions],
        "groups": [_plain_group(group) for group in groups],
        "left_out": list(problems),
    }


def _plain_session(session: PastSession) -> dict[str, Any]:
    plain = {"folder": str(session.folder), "when": session.when.isoformat(), "world": session.world}
    return plain | {name: value for name, value in asdict(session).items() if name not in plain}


def _plain_group(group: Group) -> dict[str, Any]:
    settings = {name: value for name, value in asdict(group.engine).items() if name != "checkpoint_hash"}
    plain = {"world": group.world, "engine": settings, "off_screen": group.off_screen}
    plain["calibrated"] = group.calibrated
    plain |= {"sessions": len(group.sessions), "weights": group.weights}
    return plain | {name: asdict(trend) for name, trend in group.trends.items()}


def _show(*tables: Table) -> None:
    from rich.console import Console

    console = Console()
    console.width = max(console.width, PAGE)
    for table in tables:
        console.print(table)


def _session_table(sessions: Sequence[PastSession]) -> Table:
    table = _table("sessions", "when", "world", "size", "drawn by", "memory", "window", "ended")
    for head, _ in NUMBERS.values():
        table.add_column(head, justify="right")
    for session in sessions:
        engine = session.engine
        told = (f"{session.when:%Y-%m-%d %H:%M}", session.world, _size(engine), _drawn_by(engine))
        flags = (_on(engine.memory), _on(not session.off_screen), session.end_reason or "-")
        numbers = (_number(getattr(session, name), digits) for name, (_, digits) in NUMBERS.items())
        _add(table, *told, *flags, *numbers)
    return table


def _group_table(groups: Sequence[Group]) -> Table:
    table = _table("equal world and settings", "world", "settings")
    for head in ("sessions", "weights", *(NUMBERS[name][0] for name in MEASURES)):
        table.add_column(head, justify="right")
    table.caption = "mean, then the change a session (slope of a least-squares line through at least three)"
    for group in groups:
        cells = (_trend(group.trends[name], NUMBERS[name][1], len(group.sessions)) for name in MEASURES)
        _add(table, group.world, _settings(group), str(len(group.sessions)), str(group.weights), *cells)
    return table


def _settings(group: Group) -> str:
    engine = group.engine
    drawn = f"{_size(engine)} {_drawn_by(engine)}, memory {_on(engine.memory)}"
    how = f"steps {engine.denoising_steps}, threads {engine.threads}"
    judged = ", calibrated" if group.calibrated else ""
    return f"{drawn}, {how}, {'off-screen' if group.off_screen else 'window'}{judged}"


def _table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _add(table: Table, *cells: str) -> None:
    """A row of cells, none of which is read as rich's markup."""
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells))


def _size(engine: EngineInfo) -> str:
    return f"{engine.size[1]}p"


def _drawn_by(engine: EngineInfo) -> str:
    return f"{engine.runtime} {SHORT.get(engine.dtype, engine.dtype)}"


def _on(flag: bool) -> str:
    return "on" if flag else "off"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _trend(trend: Trend, digits: int, sessions: int) -> str:
    """Such as "0.81 -0.003", or "41 (2 of 5)" where two of five sessions have the measure."""
    told = _number(trend.mean, digits)
    if trend.change is not None:
        told += f" {trend.change:+.{digits + 1}f}"
    return told if trend.measured in (0, sessions) else f"{told} ({trend.measured} of {sessions})"
