"""Random conditions: what worlds the training data is made of."""

from __future__ import annotations

import numpy as np

from genie_lite.conditions import BIOMES, Conditions


def sample_conditions(rng: np.random.Generator) -> Conditions:
    """Pure biomes, blends of two and some of three, at every hour (dusk, dawn and night well present), in any weather
    that suits the biome."""
    count = int(rng.choice([1, 2, 3], p=[0.45, 0.45, 0.1]))
    weights = np.zeros(len(BIOMES))
    weights[rng.choice(len(BIOMES), count, replace=False)] = rng.uniform(0.35, 1.0, count)
    weights /= weights.sum()
    share = dict(zip(BIOMES, weights, strict=True))
    values = {name: float(rng.uniform(0, 1)) for name in ("vegetation", "ruggedness", "water")}
    values["settlement"] = float(rng.uniform(0.2, 1.0)) if rng.random() < 0.45 else 0.0
    values |= {"fog": float(rng.beta(1.2, 9.0)), "clouds": float(rng.uniform(0, 0.75)), "rain": 0.0, "snowfall": 0.0}
    dry, cold = share["desert"] + share["volcanic"] > 0.3, share["snow"] > 0.25
    odds = [0.35, 0.1, 0.45, 0.1] if cold else [0.55, 0.14, 0.19, 0.12]
    kind = rng.choice(["clear", "fog", "falling", "overcast"], p=odds)
    if kind == "fog":
        values["fog"] = float(rng.uniform(0.3, 1.0))
    elif kind == "overcast" or (kind == "falling" and dry and not cold):
        values["clouds"] = float(rng.uniform(0.75, 1.0))
    elif kind == "falling":
        values["snowfall" if cold else "rain"] = float(rng.uniform(0.25, 1.0))
        values["clouds"] = float(rng.uniform(0.5, 1.0))
    return Conditions(meadow=1.0, hour=_hour(rng), **values).with_biomes(weights)


def _hour(rng: np.random.Generator) -> float:
    """Uniform in half of the cases; else dawn, dusk or night, so that the short hours are seen often."""
    if rng.random() < 0.5:
        return float(rng.uniform(0, 24))
    low, high = [(5.0, 7.5), (17.0, 20.0), (20.0, 29.0)][rng.integers(3)]
    return float(rng.uniform(low, high) % 24)
