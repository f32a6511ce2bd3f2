"""Past sessions, as their reports tell of them: one by one, and what became of equal ones over time."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from genie_lite.checks import printable, short_text
from genie_lite.engine.protocol import EngineInfo
from genie_lite.errors import RecordingError
from genie_lite.recording.checks import engine_info, finite
from genie_lite.recording.log import FAR_AWAY, REPORT
from genie_lite.recording.reader import find_recordings

LARGEST = 1 << 24
"""Bytes; no report is larger, for its curve grows by some 15 bytes for each second of world time."""

NAMED_BY_TIME = "%Y%m%d-%H%M%S"
"""How `play` names the folder of a session."""

LEAST = 3
"""Fewer values show no trend."""

MEASURES = ("fps", "fps_possible", "coherence_mean", "half_life_s")
"""What is followed over time."""


@dataclass(frozen=True, slots=True)
class PastSession:
    """One session's report. What was not measured, or was not finite, is None.

    when: local time at which it began if its folder says so, otherwise at which the report was written. engine: what
    drew, and how it was set. off_screen: nothing was paced. world_time_s: seconds lived. fps, fps_possible: frames a
    second shown, and what the work of a frame would allow. coherence_mean, coherence_lowest: of its seconds, 0 to 1.
    half_life_s: seconds in which coherence halved, None too where it did not fall. calibrated: whether the meter was.
    """

    folder: Path
    when: datetime
    engine: EngineInfo
    off_screen: bool
    world_time_s: float | None
    end_reason: str | None
    fps: float | None
    fps_possible: float | None
    coherence_mean: float | None
    coherence_lowest: float | None
    half_life_s: float | None
    calibrated: bool = False

    @property
    def world(self) -> str:
        """The name of the weights, or of an engine that has none."""
        return self.engine.checkpoint or self.engine.name


@dataclass(frozen=True, slots=True)
class Trend:
    """A measure over the sessions of a group. measured: how many of them have it.

    mean: None where none has it. change: from one session to the next, the slope of the least-squares line through
    them, each in its place among all; None for fewer than three values.
    """

    measured: int
    mean: float | None
    change: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Sessions that compare: one world, drawn, shown and judged in the same way, by whichever weights; oldest first.

    engine: how all were drawn, without the weights' hash. calibrated: whether the meter was. trends: by name, those of
    MEASURES.
    """

    engine: EngineInfo
    off_screen: bool
    calibrated: bool
    sessions: tuple[PastSession, ...]
    trends: dict[str, Trend]

    @property
    def world(self) -> str:
        """The name of the weights, or of an engine that has none."""
        return self.sessions[0].world

    @property
    def weights(self) -> int:
        """How many different weights drew them."""
        return len({session.engine.checkpoint_hash for session in self.sessions} - {None})


def grouped(sessions: Sequence[PastSession]) -> list[Group]:
    """The groups of sessions that compare, in the order in which they first came up. sessions: oldest first."""
    found: dict[tuple[EngineInfo, bool, bool], list[PastSession]] = {}
    for session in sessions:
        key = (replace(session.engine, checkpoint_hash=None), session.off_screen, session.calibrated)
        found.setdefault(key, []).append(session)
    return [Group(*settings, tuple(own), _trends(own)) for settings, own in found.items()]


def _trends(sessions: Sequence[PastSession]) -> dict[str, Trend]:
    return {name: trend([getattr(session, name) for session in sessions]) for name in MEASURES}


def trend(values: Sequence[float | None]) -> Trend:
    """Mean and change a session of values in the order of their sessions."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if not known:
        return Trend(0, None, None)
    places, numbers = zip(*known, strict=True)
    slope = statistics.linear_regression(places, numbers).slope if len(known) >= LEAST else None
    return Trend(len(known), statistics.fmean(numbers), slope)


def read_sessions(folder: Path) -> tuple[list[PastSession], list[str]]:
    """All sessions that left a report somewhere in the folder, oldest first, and what is wrong with other reports.

    Raises RecordingError where the folder cannot be searched.
    """
    sessions: list[PastSession] = []
    problems: list[str] = []
    for path in find_recordings(folder, having=REPORT):
        try:
            sessions.append(read_session(path))
        except RecordingError as error:
            problems.append(str(error))
    return sorted(sessions, key=lambda session: (session.when, session.folder)), problems


def read_session(folder: Path) -> PastSession:
    """Reads a session's report. Raises RecordingError, in one line, for whatever is none."""
    path = folder / REPORT
    try:
        if not path.is_file():
            raise ValueError("no file")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        return _session(folder, _object(data), _when(path))
    except OSError as error:
        raise RecordingError(
            f"{printable(str(path))} cannot be read ({error.strerror or error}); check its permissions"
        ) from error
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        said = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        reason = f"{printable(str(path))} is no report of a session ({printable(said[:160])})"
        raise RecordingError(f"{reason}; move it elsewhere or delete it") from error


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
    # A dream that fell apart may have measured infinities; the rest of its report is as good as any.
    values = json.loads(data.decode("utf-8"), parse_constant=lambda name: None)
    if not isinstance(values, dict):
        raise ValueError("it holds no JSON object")
    return values


def _session(folder: Path, values: dict[str, Any], when: datetime) -> PastSession:
    engine, coherence, stages = (values[name] for name in ("engine", "coherence", "stages_ms"))
    if not isinstance(coherence, dict) or not isinstance(stages, dict):
        raise ValueError("coherence and stages_ms are no objects")
    reason = values["end_reason"]
    return PastSession(
        folder=folder,
        when=when,
        engine=engine_info(engine),
        off_screen="video" in stages,
        world_time_s=_measured(values["world_time_s"]),
        end_reason=None if reason is None else short_text(reason),
        fps=_measured(values["fps"]) or None,
        fps_possible=_measured(values["fps_possible"]) or None,
        coherence_mean=_measured(coherence["mean"], 1.0),
        coherence_lowest=_measured(coherence["lowest"], 1.0),
        half_life_s=_measured(coherence["half_life_s"]),
        calibrated=coherence.get("calibrated") is True,
    )


def _measured(value: Any, most: float = FAR_AWAY) -> float | None:
    """A number from 0 to `most`; None for null."""
    number = finite(value)
    if not (math.isnan(number) or 0 <= number <= most):
        raise ValueError(f"{number:g} is outside 0 to {most:g}")
    return None if math.isnan(number) else number


def _when(report: Path) -> datetime:
    try:
        return datetime.strptime(report.resolve().parent.name, NAMED_BY_TIME)
    except ValueError:
        return datetime.fromtimestamp(int(report.stat().st_mtime))
