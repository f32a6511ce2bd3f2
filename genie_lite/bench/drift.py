"""Does a dream stay what it was? |M(first 15 %) - M(last 15 %)| of a film, for what should change little on a walk."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from genie_lite.bench.metrics import brightness, contrast, sharpness
from genie_lite.conditions import Conditions
from genie_lite.model.judge import Observed

ENDS = 0.15
"""The share of a film that counts as its beginning, and as its end."""

MEASURES: Mapping[str, Callable[[NDArray[np.uint8]], float]] = {
    "sharpness": sharpness,
    "brightness": brightness,
    "contrast": contrast,
}

TWILIGHT = 1.0
"""Hours around 6 and 18 that count as both day and night."""


def drift(film: NDArray[np.uint8], observed: Observed) -> dict[str, float]:
    """How far beginning and end are apart: sharpness, brightness and contrast in grey levels, conditions as the mean
    difference of what the judge reads."""
    begun, ended = ends(len(film))
    found = {name: abs(_mean(measure, film[begun]) - _mean(measure, film[ended])) for name, measure in MEASURES.items()}
    read = observed.conditions
    return found | {"conditions": float(np.abs(read[begun].mean(0) - read[ended].mean(0)).mean())}


def sharpness_ratio(film: NDArray[np.uint8]) -> float:
    """Edges in the last 15 % relative to the first 15 %."""
    begun, ended = ends(len(film))
    return _mean(sharpness, film[ended]) / max(_mean(sharpness, film[begun]), 1e-6)


def ends(frames: int) -> tuple[slice, slice]:
    """The first and the last 15 % of so many frames."""
    span = max(1, round(frames * ENDS))
    return slice(0, span), slice(frames - span, frames)


def conditions_agree(read: NDArray[np.float32], asked: Conditions) -> float:
    """The share of readings (N, 18) that show the asked biome, and day or night as asked."""
    seen = [Conditions.from_array(row) for row in read]
    return float(np.mean([_biome(c) == _biome(asked) and _same_half_of_the_day(c.hour, asked.hour) for c in seen]))


def _biome(conditions: Conditions) -> int:
    return int(np.argmax(conditions.biomes))


def _same_half_of_the_day(seen: float, asked: float) -> bool:
    """Day is 6 to 18 h."""
    in_twilight = min(abs(asked - 6), abs(asked - 18)) <= TWILIGHT
    return in_twilight or (6 <= seen < 18) == (6 <= asked < 18)


def _mean(measure: Callable[[NDArray[np.uint8]], float], film: NDArray[np.uint8]) -> float:
    """Of every third picture at most."""
    step = 3 if len(film) > 30 else 1
    return float(np.mean([measure(picture) for picture in film[::step]]))
