"""Reads recordings, whatever became of them: what comes before a torn last line is used, the rest is a clear error."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genie_lite.actions import Action
from genie_lite.camera import Pose
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import EngineInfo, Start
from genie_lite.errors import RecordingError
from genie_lite.recording.log import FAR_AWAY, FORMAT, LOG, START, VERSION, End, Header, Step

LONGEST_LINE = 1 << 16
"""Bytes; a log with a longer line was not written by us."""


@dataclass(frozen=True, slots=True)
class Log:
    """What was read: frame 0 at least. `end` is None where the process was killed."""

    folder: Path
    header: Header
    steps: tuple[Step, ...]
    end: End | None

    def start(self) -> Start:
        """What the world began from. Raises RecordingError where the start picture cannot be read."""
        return _read_picture(self.folder / START) if self.header.start is None else self.header.start

    def conditions(self) -> list[Conditions]:
        """The conditions of every frame."""
        found: list[Conditions] = []
        for step in self.steps:
            found.append(step.conditions or found[-1])
        return found


def read_log(path: Path) -> Log:
    """Reads a recording, given its folder or the log in it. Raises RecordingError, which says what to do next."""
    path = path / LOG if path.is_dir() else path
    header: Header | None = None
    steps: list[Step] = []
    end: End | None = None
    for number, values in enumerate(_objects(path), 1):
        try:
            if end is not None:
                raise ValueError("it goes on after its end")
            if header is None:
                header = _header(values)
            elif "end" in values:
                end = _end(values)
            else:
                steps.append(_step(values, len(steps)))
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise _damaged(path, number, error) from error
    if header is None or not steps:
        raise RecordingError(f"{path} ends before its first frame; nothing can be saved from it, so record again")
    return Log(path.parent, header, tuple(steps), end)


def find_recordings(folder: Path) -> list[Path]:
    """The folders of all recordings in a folder, by name. Raises RecordingError where it cannot be searched."""
    try:
        return sorted(path.parent for path in folder.rglob(LOG))
    except OSError as error:
        raise RecordingError(f"cannot search {folder} ({error.strerror}); name another folder") from error


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of the file, a line each; a torn last line is left out."""
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                values = _parsed(line)
                if isinstance(values, Exception):
                    if line.endswith(b"\n") or len(line) == LONGEST_LINE:
                        raise _damaged(path, number, values) from values
                    return
                yield values
    except OSError as error:
        advice = "`genie-lite recordings list` shows which there are"
        raise RecordingError(f"no recording can be read at {path} ({error.strerror}); {advice}") from error


def _parsed(line: bytes) -> dict[str, Any] | Exception:
    try:
        values = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return error
    return values if isinstance(values, dict) else ValueError("no JSON object")


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _damaged(path: Path, number: int, error: Exception) -> RecordingError:
    said = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    printable = "".join(c if c.isprintable() else "?" for c in said[:160])
    advice = "record again" if number < 3 else f"to use what comes before it, keep only the first {number - 1} lines"
    return RecordingError(f"{path} is damaged in line {number} ({printable}); {advice}")


def _header(values: dict[str, Any]) -> Header:
    if values.get("format") != FORMAT:
        raise ValueError("no genie_lite recording")
    if values.get("version") != VERSION:
        raise ValueError(f"version {str(values.get('version'))[:20]}, and this genie_lite reads {VERSION}")
    _only(values, {"format", "version"} | _names(Header))
    start = values["start"]
    if start != {"image": START}:
        _only(start, {"conditions"})
    return Header(
        engine=_engine(values["engine"]),
        seed=_integer(values["seed"], -(2**63), 2**64 - 1),
        start=None if "image" in start else _conditions(start["conditions"]),
        world=_text(values["world"]),
        video_from=_integer(values["video_from"], 0, 2**53),
        program=_text(values["program"]),
    )


def _engine(values: dict[str, Any]) -> EngineInfo:
    _only(values, _names(EngineInfo))
    width, height = (_integer(side, 1, 16384) for side in values["size"])
    checkpoint, checkpoint_hash = (
        _text(values[name]) if values[name] else None for name in ("checkpoint", "checkpoint_hash")
    )
    if type(values["memory"]) is not bool:
        raise ValueError("memory is neither true nor false")
    return EngineInfo(
        name=_text(values["name"]),
        checkpoint=checkpoint,
        checkpoint_hash=checkpoint_hash,
        size=(width, height),
        dtype=_text(values["dtype"]),
        runtime=_text(values["runtime"]),
        memory=values["memory"],
        denoising_steps=_integer(values["denoising_steps"], 0, 1000),
        threads=_integer(values["threads"], 1, 1024),
    )


def _step(values: dict[str, Any], index: int) -> Step:
    _only(values, _names(Step), optional={"conditions"})
    if _integer(values["index"], 0, 2**53) != index:
        raise ValueError(f"frame {values['index']} where frame {index} should be")
    conditions = values.get("conditions")
    if (values["action"] is None) != (index == 0) or (conditions is None and index == 0):
        raise ValueError("frame 0 has conditions and no action, every other frame has an action")
    if not isinstance(values["timings"], dict) or len(values["timings"]) > 32:
        raise ValueError("timings are milliseconds by stage")
    return Step(
        index=index,
        action=None if index == 0 else _action(values["action"]),
        pose=_pose(values["pose"]),
        hash=None if values["hash"] is None else _text(values["hash"]),
        coherence=_number(values["coherence"]),
        timings={_text(name): _number(value) for name, value in values["timings"].items()},
        conditions=None if conditions is None else _conditions(conditions),
    )


def _end(values: dict[str, Any]) -> End:
    _only(values, _names(End))
    return End(_text(values["end"]), _integer(values["dropped"], 0, 2**53))


def _conditions(values: Any) -> Conditions:
    if not isinstance(values, dict):
        raise ValueError("conditions are numbers by name")
    return Conditions.from_dict({name: _number(value) for name, value in values.items()})


def _action(values: Any) -> Action:
    if len(values) != len(fields(Action)) or not all(type(flag) is bool for flag in values[4:]):
        raise ValueError("an action is four numbers and two flags")
    forward, strafe, turn, look = (_number(value) for value in values[:4])
    return Action(forward, strafe, turn, look, *values[4:])


def _pose(values: Any) -> Pose:
    if len(values) != len(fields(Pose)):
        raise ValueError("a pose is five numbers")
    return Pose(*(_number(value) for value in values))


def _number(value: Any) -> float:
    """A finite number; NaN for null, which stands for one that was not finite."""
    if value is None:
        return math.nan
    if type(value) not in (int, float) or not abs(value) <= FAR_AWAY:
        raise ValueError(f"{str(value)[:40]!r} is no number, or too large")
    return float(value)


def _integer(value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{str(value)[:40]!r} is no whole number from {low} to {high}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 200:
        raise ValueError(f"{str(value)[:40]!r} is no short text")
    return value


def _names(entry: type) -> set[str]:
    return {field.name for field in fields(entry)}


def _only(values: Any, names: set[str], optional: frozenset[str] | set[str] = frozenset()) -> None:
    """Raises ValueError unless the object has exactly these entries."""
    if not isinstance(values, dict):
        raise ValueError("an object is missing")
    if unknown := set(values) - names:
        raise ValueError(f"unknown entry {min(unknown)!r}; a newer genie_lite may have written it")
    if lacking := names - set(values) - optional:
        raise ValueError(f"it lacks {min(lacking)!r}")


def _read_picture(path: Path) -> NDArray[np.uint8]:
    """uint8 (H, W, 3)."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return np.array(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RecordingError(f"{path} cannot be read, and the world began from it; copy the recording anew") from error
