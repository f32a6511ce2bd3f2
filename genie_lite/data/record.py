"""One episode from one seed: everything that happens in it follows from the seed alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from genie_lite.actions import ACTION_DIM
from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.conditions import CONDITIONS_DIM
from genie_lite.data.episodes import PICTURE_HEIGHT, PICTURE_WIDTH, Episode, compact_depth, nearest
from genie_lite.data.policies import ConditionsDrift, pick_policy, random_conditions


def record_episode(
    world: Any, name: str, split: str, seed: int, steps: int, pictures: int, recipe: str = ""
) -> Episode:
    """Runs a policy through a world (the Env of `make_world(name)`) for `steps` frames, or until the world ends.

    pictures: how many frames, at random, are rendered at 720p too.
    """
    # A stream for each purpose, so that a change to one leaves the others as they were.
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)]
    choose_conditions, choose_policy, choose_drift, choose_pictures = streams
    world = world.unwrapped
    conditions = getattr(world, "sample_conditions", random_conditions)(choose_conditions)
    policy = pick_policy(choose_policy, steps)
    drift = ConditionsDrift(choose_drift, conditions, steps)
    instants = np.sort(choose_pictures.choice(steps, min(pictures, steps), replace=False)).astype(np.int64)
    shots = np.empty((len(instants), PICTURE_HEIGHT, PICTURE_WIDTH, 3), np.uint8)
    frames = np.empty((steps, FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8)
    depth = np.empty((steps, THUMB_HEIGHT, THUMB_WIDTH), np.float32)
    poses = np.empty((steps, 5), np.float32)
    actions = np.empty((steps, ACTION_DIM), np.float32)
    weather = np.empty((steps, CONDITIONS_DIM), np.float32)

    frame, info = world.reset(seed=seed, options={"conditions": conditions})
    ended, taken = False, 0
    for t in range(steps):
        frames[t] = frame
        depth[t] = nearest(info["depth"])
        poses[t] = info["pose"].to_array()
        weather[t] = info["conditions"].to_array()
        actions[t] = policy.act(info.get("blocked", False)).to_array()
        if taken < len(instants) and instants[taken] == t:
            shots[taken] = world.picture(PICTURE_WIDTH, PICTURE_HEIGHT)
            taken += 1
        if ended or t + 1 == steps:
            break
        following = drift.at(t + 1)
        if following is not conditions:
            conditions = following
            world.set_conditions(conditions)
        frame, _, terminated, truncated, info = world.step(actions[t])
        ended = terminated or truncated
    return Episode(
        frames=frames[: t + 1],
        depth=compact_depth(depth[: t + 1]),
        poses=poses[: t + 1],
        actions=actions[: t + 1],
        conditions=weather[: t + 1],
        pictures=shots[:taken],
        picture_index=instants[:taken],
        world=name,
        seed=seed,
        split=split,
        policy=policy.name,
        recipe=recipe,
    )
