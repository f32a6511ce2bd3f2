"""Checks of what recordings alone claim, as in genie_lite/checks.py."""

from __future__ import annotations

import math
from typing import Any

from genie_lite.checks import entries, number, only, short_text, whole
from genie_lite.engine.protocol import MOST_GUIDANCE, MOST_THREADS, EngineInfo
from genie_lite.recording.log import FAR_AWAY


def engine_info(values: Any) -> EngineInfo:
    """Who drew, from the object that `asdict` made of it. Raises TypeError too, where it is built otherwise."""
    only(values, entries(EngineInfo), {"guidance"})
    width, height = (whole(side, 1, 16384) for side in values["size"])
    checkpoint, checkpoint_hash = (
        short_text(values[name]) if values[name] else None for name in ("checkpoint", "checkpoint_hash")
    )
    if type(values["memory"]) is not bool:
        raise ValueError("memory is neither true nor false")
    return EngineInfo(
        name=short_text(values["name"]),
        checkpoint=checkpoint,
        checkpoint_hash=checkpoint_hash,
        size=(width, height),
        dtype=short_text(values["dtype"]),
        runtime=short_text(values["runtime"]),
        memory=values["memory"],
        denoising_steps=whole(values["denoising_steps"], 0, 1000),
        threads=whole(values["threads"], 1, MOST_THREADS),
        guidance=number(values.get("guidance", 1.0), 0, MOST_GUIDANCE),
    )


def finite(value: Any) -> float:
    """A finite number; NaN for null, which stands for one that was not finite."""
    if value is None:
        return math.nan
    if type(value) not in (int, float) or not abs(value) <= FAR_AWAY:
        raise ValueError(f"{str(value)[:40]!r} is no number, or too large")
    return float(value)
