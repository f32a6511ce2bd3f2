"""What is left of a session on disk besides its pictures: report.json, and the same for people."""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from genie_lite.conditions import Conditions
from genie_lite.engine.protocol import Frame, Start
from genie_lite.errors import OutputError
from genie_lite.recording.log import CURVE, PAGE, REPORT
from genie_lite.recording.page import draw_coherence, report_page
from genie_lite.session.frametimes import FrameTimes
from genie_lite.session.manager import SessionManager

PACKAGES = ("genie_lite", "numpy", "torch", "openvino", "pygame", "av")


def session_report(session: SessionManager, times: FrameTimes) -> dict[str, Any]:
    """Everything worth knowing about an ended session, ready for JSON.

    `fps` is what was shown (stage "interval": from one frame to the next), `fps_possible` what the work of a frame
    would allow without pacing (stage "work": engine, coherence and present).
    """
    frame = session.frame
    return {
        "engine": asdict(session.engine.info),
        "seed": session.seed,
        "start": _start(session.start),
        "conditions": None if frame is None else frame.conditions.to_dict(),
        "cap_s": session.cap,
        "frames": 0 if frame is None else frame.index + 1,
        "world_time_s": round(session.world_time, 3),
        "restarts": session.restarts,
        "end_reason": None if session.end_reason is None else str(session.end_reason),
        "error": None if session.error is None else str(session.error),
        "fps": round(times.rate("interval"), 2),
        "fps_possible": round(times.rate("work"), 2),
        "stages_ms": times.summary(),
        "coherence": session.coherence.summary(),
        "last_frame_sha256": None if frame is None else frame_hash(frame),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}",
    }


def frame_hash(frame: Frame) -> str:
    """SHA-256 over the image's bytes, as hexadecimal digits."""
    return hashlib.sha256(frame.image.tobytes()).hexdigest()


def prepare_folder(folder: Path) -> Path:
    """The folder, made if need be. Raises OutputError if nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write into {folder} ({reason}); give another folder with --out") from error
    return folder


def write_report(folder: Path, report: dict[str, Any]) -> Path:
    """Writes report.json, coherence.png and report.html; returns the first. Raises OutputError where that fails."""
    path = prepare_folder(folder) / REPORT
    picture = draw_coherence(report["coherence"])
    try:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        (folder / CURVE).write_bytes(picture)
        (folder / PAGE).write_text(report_page(report, picture), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); free some space or use --out") from error
    return path


def _start(start: Start) -> dict[str, Any]:
    if isinstance(start, Conditions):
        return {"conditions": start.to_dict()}
    return {"image_size": [start.shape[1], start.shape[0]], "image_sha256": hashlib.sha256(start.tobytes()).hexdigest()}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
