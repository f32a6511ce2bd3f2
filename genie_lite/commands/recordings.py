"""`genie-lite recordings`: which there are, what is in one, and how to make something else of it or be rid of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.commands.replay import engine_for, find
from genie_lite.commands.visit import SESSIONS
from genie_lite.errors import OutputError, RecordingError, UsageError
from genie_lite.recording.log import CURVE, LOG, PAGE, REPORT, START, VIDEO
from genie_lite.recording.reader import Log, find_recordings, read_log

FILES = (VIDEO, PAGE, CURVE, REPORT, START, LOG)
"""What belongs to a recording. The log goes last, so that what is left of a failed delete is still listed."""


@dataclass(frozen=True)
class Options:
    """List, show, export or delete recordings."""

    action: tyro.conf.Positional[Literal["list", "show", "export", "delete"]]
    """What to do."""
    path: tyro.conf.Positional[Path | None] = None
    """A recording (for `list` a folder of them; sessions if left out)."""
    to: Literal["mp4", "gif", "webp", "frames", "dataset", "episode"] = "mp4"
    """Export as a video, a moving picture, PNG files, a data set for Hugging Face, or an episode to train on."""
    out: Path | None = None
    """Export to this file or folder (named after the recording if left out)."""
    redraw: bool = False
    """Export frames that the model draws anew, exact and complete, instead of reading the recorded video."""
    checkpoint: Path | None = None
    """Where the weights for that are, if they did not come with genie_lite."""


def main(options: Options) -> int:
    """Does what was asked; returns the exit status. Raises GenieLiteError."""
    if options.action == "list":
        return _list(options.path or SESSIONS)
    if options.path is None:
        raise UsageError(f"which recording should I {options.action}? `genie-lite recordings list` shows them")
    folder = find(options.path)
    if options.action == "delete":
        return _delete(folder)
    log = read_log(folder)
    return _show(log) if options.action == "show" else _export(log, options)


def _list(folder: Path) -> int:
    found = find_recordings(folder)
    if not found:
        print(f"no recordings in {folder}; make one with: genie-lite play --record")
    for path in found:
        try:
            print(f"{path}  {_summary(read_log(path))}")
        except RecordingError as error:
            print(f"{path}  unreadable: {error}")
    return 0


def _summary(log: Log) -> str:
    width, height = log.header.engine.size
    seconds = (len(log.steps) - 1) / STEPS_PER_SECOND
    size = sum((log.folder / name).stat().st_size for name in FILES if (log.folder / name).exists()) / 1e6
    ended = "cut short" if log.end is None else log.end.end
    return f"{seconds:.1f} s  {width}x{height}  {log.header.world}  {ended}  {size:.1f} MB"


def _show(log: Log) -> int:
    header, info = log.header, log.header.engine
    scores = [step.coherence for step in log.steps if not math.isnan(step.coherence)]
    conditions = log.steps[0].conditions
    told = {
        "folder": log.folder,
        "summary": _summary(log),
        "drawn by": f"{info.name}, weights {info.checkpoint_hash}, genie_lite {header.program}",
        "settings": f"{info.runtime}, {info.dtype}, {info.threads} threads, {info.denoising_steps} denoising steps, "
        f"memory {'on' if info.memory else 'off'}",
        "seed": header.seed,
        "begun from": "a picture" if header.start is None else "conditions",
        "conditions": conditions and ", ".join(f"{k} {v:g}" for k, v in conditions.to_dict().items() if v),
        "events": sum(step.conditions is not None for step in log.steps[1:]),
        "frames": f"{len(log.steps)}, {0 if log.end is None else log.end.dropped} of them missing from the video",
        "coherence": f"{sum(scores) / len(scores):.2f} on average" if scores else "unknown",
        "files": ", ".join(name for name in FILES if (log.folder / name).exists()),
    }
    for name, value in told.items():
        print(f"{name:<12}{value}")
    return 0


def _export(log: Log, options: Options) -> int:
    name = log.folder.resolve().name
    endings = {"frames": "-frames", "dataset": "-dataset", "episode": ".safetensors"}
    out = options.out or Path(name + endings.get(options.to, f".{options.to}"))
    if options.to == "episode":
        from genie_lite.commands.episode import export_episode

        export_episode(log, engine_for(log.header, options.checkpoint, "144p"), out)
    else:
        from genie_lite.recording.export import export

        engine = engine_for(log.header, options.checkpoint) if options.redraw else None
        export(log, options.to, out, engine)
    print(f"written {out}")
    return 0


def _delete(folder: Path) -> int:
    """Removes the files of a recording and nothing else; the folder too, if it is empty then."""
    if not (folder / LOG).is_file():
        raise RecordingError(f"{folder} is no recording; `genie-lite recordings list` shows which there are")
    try:
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        left = sorted(path.name for path in folder.iterdir())
        if not left:
            folder.rmdir()
    except OSError as error:
        raise OutputError(f"cannot delete {folder} ({error.strerror}); check its permissions") from error
    print(f"deleted {folder}" + (f", but kept {', '.join(left)} in it" if left else ""))
    return 0
