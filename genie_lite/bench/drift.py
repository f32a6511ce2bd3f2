"""Does a dream stay what it was? |M(first 15 %) - M(last 15 %)| of a film, for what should change little on a walk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genie_lite.bench.metrics import brightness, contrast, sharpness
from genie_lite.conditions import Conditions, light_of
from genie_lite.model.judge import Judge

ENDS = 0.15
"""The share of a film that counts as its beginning, and as its end."""

MEASURES: Mapping[str, Callable[[NDArray[np.uint8]], float]] = {
    "sharpness": sharpness,
    "brightness": brightness,
    "contrast": contrast,
}

EQUAL = 0.8
"""Of half meadow and half desert neither is the country's biome alone."""

BORDER = 0.5
"""Hours: dusk does not begin at a stroke."""


def drift(film: NDArray[np.uint8], judge: Judge) -> dict[str, float]:
    """How far beginning and end are apart: sharpness, brightness and contrast in grey levels, conditions as the mean
    difference of what the judge reads."""
    begun, ended = ends(len(film))
    found = {name: abs(_mean(measure, film[begun]) - _mean(measure, film[ended])) for name, measure in MEASURES.items()}
    first, last = (judge.read_conditions(film[part]).mean(0) for part in (begun, ended))
    return found | {"conditions": float(np.abs(first - last).mean())}


def sharpness_ratio(film: NDArray[np.uint8]) -> float:
    """Edges in the last 15 % relative to the first 15 %."""
    begun, ended = ends(len(film))
    return _mean(sharpness, film[ended]) / max(_mean(sharpness, film[begun]), 1e-6)


def ends(frames: int) -> tuple[slice, slice]:
    """The first and the last 15 % of so many frames."""
    span = max(1, round(frames * ENDS))
    return slice(0, span), slice(frames - span, frames)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares of readings that are right. country: the strongest biome read is one of the asked country's strongest;
    light: night, twilight or day as asked; both: of the same reading."""

    country: float
    light: float
    both: float


def conditions_agree(read: NDArray[np.float32], asked: Conditions) -> Agreement:
    """How far readings (N, 18) agree with what was asked. In a mixed country every biome counts as right that has at
    least EQUAL of the strongest one's weight; within BORDER of another light that one is right too."""
    seen = [Conditions.from_array(row) for row in read]
    strongest = max(asked.biomes)
    country = np.array([asked.biomes[int(np.argmax(c.biomes))] >= EQUAL * strongest for c in seen])
    lights = {light_of((asked.hour + away) % 24) for away in (-BORDER, 0, BORDER)}
    light = np.array([light_of(c.hour) in lights for c in seen])
    return Agreement(float(country.mean()), float(light.mean()), float((country & light).mean()))


def _mean(measure: Callable[[NDArray[np.uint8]], float], film: NDArray[np.uint8]) -> float:
    """Of every third picture at most."""
    step = 3 if len(film) > 30 else 1
    return float(np.mean([measure(picture) for picture in film[::step]]))
