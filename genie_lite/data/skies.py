"""Places under many skies: what a picture shows of hour and weather, apart from what the place is like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import IDLE, STEPS_PER_SECOND, Action
from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.conditions import CONDITIONS_DIM, biome
from genie_lite.data.collect import SPLIT_SEEDS
from genie_lite.data.episodes import compact_depth, nearest
from genie_lite.data.policies import conditions_of
from genie_lite.worlds import make_world

FIRST_SEED = SPLIT_SEEDS["train"] + 900_000
"""Seeds of the train split that no collection of usual size reaches."""


class Views(NamedTuple):
    """N frames, uint8 (N, 144, 256, 3), with their log-depth, float16 (N, 72, 128), conditions, float32 (N, 18), and
    the eye's pitch, float32 (N,)."""

    frames: NDArray[np.uint8]
    depth: NDArray[np.float16]
    conditions: NDArray[np.float32]
    pitch: NDArray[np.float32]


def places_under_skies(name: str, places: int, skies: int, still: bool = False) -> Views:
    """Views of so many places of `make_world(name)`, as `draw_skies` gives them, end to end. Raises RenderError."""
    with closing(make_world(name)) as world:
        drawn = [draw_skies(world, number, skies, still) for number in range(places)]
    return Views(*(np.concatenate(column) for column in zip(*drawn, strict=True)))


def draw_skies(world: Any, number: int, skies: int, still: bool = False) -> Views:
    """Place `number` of a world (the Env of `make_world`) under a sky of its own in each frame, as someone sees it who
    runs and looks around, or stands still.

    Hours and weather are drawn as for episodes, but for no matter which biome: it may snow in a desert, as it does in a
    dream once someone says so.
    """
    world, seed = world.unwrapped, FIRST_SEED + number
    random = np.random.default_rng(seed)
    world.reset(seed=seed, options={"conditions": conditions_of(world, random)})
    frames = np.empty((skies, FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8)
    depth = np.empty((skies, THUMB_HEIGHT, THUMB_WIDTH), np.float16)
    conditions, pitch = np.empty((skies, CONDITIONS_DIM), np.float32), np.empty(skies, np.float32)
    if still:
        ahead = Action(forward=1.0, look=random.uniform(-1, 1))
        for _ in range(STEPS_PER_SECOND // 2):
            world.step(ahead.to_array())
    side = random.choice([-1.0, 1.0])
    for index in range(skies):
        world.set_conditions(conditions_of(world, random))
        action = IDLE if still else Action(forward=1.0, turn=side, look=random.uniform(-1, 1), run=True)
        frames[index], _, _, _, info = world.step(action.to_array())
        depth[index] = compact_depth(nearest(info["depth"]))
        conditions[index], pitch[index] = info["conditions"].to_array(), info["pose"].pitch
    return Views(frames, depth, conditions, pitch)


def still_films(
    name: str, places: int, skies: int, frames: int, kind: str, strength: float | None = None
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """What a still eye sees of so many places of `make_world(name)` under so many skies each, in which rain or snow
    falls (`kind`): uint8 (frames, 144, 256, 3) and the conditions, float32 (18,). strength: of what falls; at noon over
    dark land if given, else at random and any hour. Raises RenderError."""
    noon = biome("volcanic", hour=12.0, fog=0.0, clouds=0.7)
    with closing(make_world(name)) as world:
        for number in range(places):
            random = np.random.default_rng(FIRST_SEED + number)
            start = conditions_of(world.unwrapped, random) if strength is None else biome("volcanic", fog=0.0)
            world.reset(seed=FIRST_SEED + number, options={"conditions": start})
            for _ in range(skies):
                sky = conditions_of(world.unwrapped, random) if strength is None else noon
                other = "rain" if kind == "snowfall" else "snowfall"
                much = float(random.uniform(0.4, 1)) if strength is None else strength
                world.unwrapped.set_conditions(replace(sky, **{kind: much, other: 0.0}))
                steps = [world.step(IDLE.to_array()) for _ in range(frames)]
                yield np.stack([step[0] for step in steps]), steps[-1][4]["conditions"].to_array()
