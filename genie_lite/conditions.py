"""Conditions: the flat vector that says what a world is like. Simulator, model, prompt and events all speak it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BIOMES = ("meadow", "autumn", "snow", "desert", "volcanic", "tropical", "marsh", "alien")
STRENGTHS = ("fog", "rain", "snowfall", "clouds", "vegetation", "ruggedness", "water", "settlement")
LAND = ("vegetation", "ruggedness", "water", "settlement")
"""The strengths that belong to a place; the others come and go over it."""

_OTHERS = attrgetter("hour", *STRENGTHS)
"""Of conditions, all that follows the biome weights."""

CONDITION_NAMES = (*BIOMES, "hour_sin", "hour_cos", *STRENGTHS)
CONDITIONS_DIM = len(CONDITION_NAMES)
BIOME_COLUMNS = slice(0, len(BIOMES))
HOUR_COLUMNS = slice(BIOME_COLUMNS.stop, BIOME_COLUMNS.stop + 2)
STRENGTH_COLUMNS = slice(HOUR_COLUMNS.stop, CONDITIONS_DIM)
WEATHER_COLUMNS = slice(CONDITION_NAMES.index("fog"), CONDITION_NAMES.index("clouds") + 1)
SKY_COLUMNS = slice(HOUR_COLUMNS.start, WEATHER_COLUMNS.stop)
"""Where the parts stand in the vector; the sky is hour and weather."""

LIGHTS = ("night", "twilight", "day")
"""What a picture shows of the hour at a glance; dawn and dusk look much alike."""


def light_of(hour: float) -> str:
    """One of LIGHTS: twilight is 5:00 to 7:00 and 17:30 to 20:00."""
    if 5 <= hour < 7 or 17.5 <= hour < 20:
        return "twilight"
    return "day" if 7 <= hour < 17.5 else "night"


@dataclass(frozen=True, slots=True)
class Conditions:
    """Biome weights (non-negative, summing to 1), hour in [0, 24), and strengths in [0, 1].

    Raises ValueError for a value out of range or biome weights that do not sum to 1 within 1e-3.
    """

    meadow: float = 0.0
    autumn: float = 0.0
    snow: float = 0.0
    desert: float = 0.0
    volcanic: float = 0.0
    tropical: float = 0.0
    marsh: float = 0.0
    alien: float = 0.0
    hour: float = 12.0
    fog: float = 0.1
    rain: float = 0.0
    snowfall: float = 0.0
    clouds: float = 0.3
    vegetation: float = 0.5
    ruggedness: float = 0.4
    water: float = 0.3
    settlement: float = 0.2

    def __post_init__(self) -> None:
        for name in (*BIOMES, *STRENGTHS):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"condition {name}={getattr(self, name)!r} is outside [0, 1]")
        if not 0.0 <= self.hour < 24.0:
            raise ValueError(f"condition hour={self.hour!r} is outside [0, 24)")
        if abs(sum(self.biomes) - 1.0) > 1e-3:
            raise ValueError(f"biome weights sum to {sum(self.biomes):.3f}, not 1")

    @property
    def biomes(self) -> tuple[float, ...]:
        """The eight weights in the order of BIOMES."""
        return tuple(getattr(self, name) for name in BIOMES)

    def with_biomes(self, weights: ArrayLike) -> Conditions:
        """The same conditions with other biome weights, eight non-negative numbers that are scaled to sum to 1."""
        array = np.asarray(weights, np.float64)
        return Conditions(*(array / array.sum()).tolist(), *_OTHERS(self))

    def with_sky_of(self, other: Conditions) -> Conditions:
        """The same land at the hour and in the weather of other conditions."""
        names = ("hour", *(name for name in STRENGTHS if name not in LAND))
        return replace(self, **{name: getattr(other, name) for name in names})

    def same_land(self, other: Conditions) -> bool:
        """True if the two differ in hour and weather at most: the same biomes, plants, hills, water and houses."""
        return all(abs(getattr(self, name) - getattr(other, name)) < 1e-3 for name in (*BIOMES, *LAND))

    def towards(self, other: Conditions, share: float) -> Conditions:
        """What lies a share (0 to 1) of the way to `other`: linear, but the hour goes the short way round the clock."""
        names = (*BIOMES, *STRENGTHS)
        values = {name: getattr(self, name) + (getattr(other, name) - getattr(self, name)) * share for name in names}
        way = (other.hour - self.hour + 12) % 24 - 12
        hour = (self.hour + way * share) % 24
        return Conditions(**values, hour=hour if hour < 24 else 0.0)

    def to_array(self) -> NDArray[np.float32]:
        """float32 (18,) in the order of CONDITION_NAMES; the hour is a point on the unit circle."""
        angle = self.hour / 24 * 2 * math.pi
        strengths = (getattr(self, name) for name in STRENGTHS)
        return np.array([*self.biomes, math.sin(angle), math.cos(angle), *strengths], np.float32)

    @classmethod
    def from_array(cls, values: ArrayLike) -> Conditions:
        """The inverse of `to_array`, clamping into range what a network may have overshot."""
        array = np.asarray(values, np.float64)
        if array.shape != (CONDITIONS_DIM,):
            raise ValueError(f"conditions are {CONDITIONS_DIM} numbers, not {array.shape}")
        hour = math.atan2(*array[HOUR_COLUMNS]) / (2 * math.pi) * 24 % 24.0
        strengths = dict(zip(STRENGTHS, (float(v) for v in np.clip(array[STRENGTH_COLUMNS], 0, 1)), strict=True))
        weights = np.clip(array[BIOME_COLUMNS], 0, 1)
        weights = weights if weights.sum() > 0 else np.eye(len(BIOMES))[0]
        return cls(meadow=1.0, hour=hour if hour < 24.0 else 0.0, **strengths).with_biomes(weights)

    def to_dict(self) -> dict[str, float]:
        """Plain numbers by name, as JSON files store them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Conditions:
        """The inverse of `to_dict`. Raises ValueError for an unknown name or a value that is not a number."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"unknown condition {sorted(unknown)[0]!r}; known are {[f.name for f in fields(cls)]}")
        return cls(**{name: float(value) for name, value in values.items()})


def biome(name: str, **others: float) -> Conditions:
    """Conditions of one pure biome. Raises ValueError for a name that is not in BIOMES."""
    if name not in BIOMES:
        raise ValueError(f"unknown biome {name!r}; known are {', '.join(BIOMES)}")
    return replace(Conditions(meadow=1.0), **{"meadow": 0.0, name: 1.0, **others})
