"""Places under many skies: what a picture shows of hour and weather, apart from what the place is like."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import Action
from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.conditions import CONDITIONS_DIM
from genie_lite.data.collect import SPLIT_SEEDS
from genie_lite.data.episodes import compact_depth, nearest
from genie_lite.data.policies import random_conditions
from genie_lite.worlds import make_world

FIRST_SEED = SPLIT_SEEDS["train"] + 900_000
"""Seeds of the train split that no collection of usual size reaches."""


Views = tuple[NDArray[np.uint8], NDArray[np.float16], NDArray[np.float32]]


def places_under_skies(name: str, places: int, skies: int) -> Views:
    """Views of so many places of `make_world(name)`, as `draw_skies` gives them, end to end. Raises RenderError."""
    with closing(make_world(name)) as world:
        drawn = [draw_skies(world, number, skies) for number in range(places)]
    frames, depth, conditions = (np.concatenate(column) for column in zip(*drawn, strict=True))
    return frames, depth, conditions


def draw_skies(world: Any, number: int, skies: int) -> Views:
    """Place `number` of a world (the Env of `make_world`), as someone sees it who runs and looks around, under a sky of
    its own in each frame: uint8 (skies, 144, 256, 3), log-depth, float16 (skies, 72, 128), and the conditions, float32
    (skies, 18).

    Hours and weather are drawn as for episodes, but for no matter which biome: it may snow in a desert, as it does in a
    dream once someone says so.
    """
    world, seed = world.unwrapped, FIRST_SEED + number
    random = np.random.default_rng(seed)
    sample = getattr(world, "sample_conditions", random_conditions)
    world.reset(seed=seed, options={"conditions": sample(random)})
    frames = np.empty((skies, FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8)
    depth = np.empty((skies, THUMB_HEIGHT, THUMB_WIDTH), np.float16)
    conditions = np.empty((skies, CONDITIONS_DIM), np.float32)
    side = random.choice([-1.0, 1.0])
    for index in range(skies):
        world.set_conditions(sample(random))
        action = Action(forward=1.0, turn=side, look=random.uniform(-1, 1), run=True)
        frames[index], _, _, _, info = world.step(action.to_array())
        depth[index] = compact_depth(nearest(info["depth"]))
        conditions[index] = info["conditions"].to_array()
    return frames, depth, conditions
