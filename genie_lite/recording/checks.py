"""What a file claims is believed only after a check: each returns the value, or raises ValueError in one line."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from genie_lite.engine.protocol import MOST_GUIDANCE, EngineInfo
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
        threads=whole(values["threads"], 1, 1024),
        guidance=number(values.get("guidance", 1.0), 0, MOST_GUIDANCE),
    )


def finite(value: Any) -> float:
    """A finite number; NaN for null, which stands for one that was not finite."""
    if value is None:
        return math.nan
    if type(value) not in (int, float) or not abs(value) <= FAR_AWAY:
        raise ValueError(f"{str(value)[:40]!r} is no number, or too large")
    return float(value)


def whole(value: Any, low: int, high: int) -> int:
    """A whole number from low to high."""
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{str(value)[:40]!r} is no whole number from {low} to {high}")
    return value


def number(value: Any, low: float, high: float) -> float:
    """A number from low to high."""
    if type(value) not in (int, float) or not low <= value <= high:
        raise ValueError(f"{str(value)[:40]!r} is no number from {low:g} to {high:g}")
    return float(value)


def short_text(value: Any) -> str:
    """Printable text of 1 to 200 characters."""
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 200:
        raise ValueError(f"{str(value)[:40]!r} is no short text")
    return value


def entries(entry: type) -> set[str]:
    """The names of a dataclass's fields."""
    return {field.name for field in fields(entry)}


def only(values: Any, names: set[str], optional: frozenset[str] | set[str] = frozenset()) -> None:
    """Raises ValueError unless the object has exactly these entries."""
    if not isinstance(values, dict):
        raise ValueError("an object is missing")
    if unknown := set(values) - names:
        raise ValueError(f"unknown entry {min(unknown)!r}; a newer genie_lite may have written it")
    if lacking := names - set(values) - optional:
        raise ValueError(f"it lacks {min(lacking)!r}")


def printable(text: str) -> str:
    """The text with a question mark for whatever could upset a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
