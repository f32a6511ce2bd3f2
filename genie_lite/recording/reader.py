"""Reads recordings, whatever became of them: what comes before a torn last line is used, the rest is a clear error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genie_lite.actions import Action
from genie_lite.camera import Pose
from genie_lite.checks import entries, only, printable, refuse, short_text, whole
from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import Start
from genie_lite.errors import RecordingError
from genie_lite.recording.checks import engine_info, finite
from genie_lite.recording.log import FORMAT, LOG, START, VERSION, End, Header, Step

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


def find_recordings(folder: Path, having: str = LOG) -> list[Path]:
    """The folders of all recordings in a folder, by name. Raises RecordingError where it cannot be searched.

    having: the file that makes a folder count.
    """
    try:
        return sorted(path.parent for path in folder.rglob(having))
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
        values = json.loads(line, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        return error
    return values if isinstance(values, dict) else ValueError("no JSON object")


def _damaged(path: Path, number: int, error: Exception) -> RecordingError:
    said = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    advice = "record again" if number < 3 else f"to use what comes before it, keep only the first {number - 1} lines"
    return RecordingError(f"{path} is damaged in line {number} ({printable(said[:160])}); {advice}")


def _header(values: dict[str, Any]) -> Header:
    if values.get("format") != FORMAT:
        raise ValueError("no genie_lite recording")
    if values.get("version") != VERSION:
        raise ValueError(f"version {str(values.get('version'))[:20]}, and this genie_lite reads {VERSION}")
    only(values, {"format", "version"} | entries(Header))
    start = values["start"]
    if start != {"image": START}:
        only(start, {"conditions"})
    return Header(
        engine=engine_info(values["engine"]),
        seed=whole(values["seed"], -(2**63), 2**64 - 1),
        start=None if "image" in start else _conditions(start["conditions"]),
        world=short_text(values["world"]),
        video_from=whole(values["video_from"], 0, 2**53),
        program=short_text(values["program"]),
    )


def _step(values: dict[str, Any], index: int) -> Step:
    only(values, entries(Step), optional={"conditions", "everywhere"})
    if whole(values["index"], 0, 2**53) != index:
        raise ValueError(f"frame {values['index']} where frame {index} should be")
    conditions = values.get("conditions")
    if (values["action"] is None) != (index == 0) or (conditions is None and index == 0):
        raise ValueError("frame 0 has conditions and no action, every other frame has an action")
    if type(values.get("everywhere", False)) is not bool:
        raise ValueError("everywhere is true or false")
    if not isinstance(values["timings"], dict) or len(values["timings"]) > 32:
        raise ValueError("timings are milliseconds by stage")
    return Step(
        index=index,
        action=None if index == 0 else _action(values["action"]),
        pose=_pose(values["pose"]),
        hash=None if values["hash"] is None else short_text(values["hash"]),
        coherence=finite(values["coherence"]),
        timings={short_text(name): finite(value) for name, value in values["timings"].items()},
        conditions=None if conditions is None else _conditions(conditions),
        everywhere=values.get("everywhere", False),
    )


def _end(values: dict[str, Any]) -> End:
    only(values, entries(End))
    return End(short_text(values["end"]), whole(values["dropped"], 0, 2**53))


def _conditions(values: Any) -> Conditions:
    if not isinstance(values, dict):
        raise ValueError("conditions are numbers by name")
    return Conditions.from_dict({name: finite(value) for name, value in values.items()})


def _action(values: Any) -> Action:
    if len(values) != len(fields(Action)) or not all(type(flag) is bool for flag in values[4:]):
        raise ValueError("an action is four numbers and two flags")
    forward, strafe, turn, look = (finite(value) for value in values[:4])
    return Action(forward, strafe, turn, look, *values[4:])


def _pose(values: Any) -> Pose:
    if len(values) != len(fields(Pose)):
        raise ValueError("a pose is five numbers")
    return Pose(*(finite(value) for value in values))


def _read_picture(path: Path) -> NDArray[np.uint8]:
    """uint8 (H, W, 3)."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return np.array(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RecordingError(f"{path} cannot be read, and the world began from it; copy the recording anew") from error
