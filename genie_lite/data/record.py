"""One episode from one seed: everything that happens in it follows from the seed alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import ACTION_DIM, Action
from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.conditions import CONDITIONS_DIM
from genie_lite.data.episodes import PICTURE_HEIGHT, PICTURE_WIDTH, Episode, compact_depth, nearest
from genie_lite.data.policies import ConditionsDrift, conditions_of, pick_policy


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
    conditions = conditions_of(world, choose_conditions)
    policy = pick_policy(choose_policy, steps)
    drift = ConditionsDrift(choose_drift, conditions, steps)
    tape = _Tape(steps, np.sort(choose_pictures.choice(steps, min(pictures, steps), replace=False)))
    frame, info = world.reset(seed=seed, options={"conditions": conditions})
    ended = False
    for t in range(steps):
        action = policy.act(info.get("blocked", False))
        tape.add(world, frame, info, action)
        if ended or t + 1 == steps:
            break
        following = drift.at(t + 1)
        if following is not conditions:
            conditions = following
            world.set_conditions(conditions)
        frame, _, terminated, truncated, info = world.step(action.to_array())
        ended = terminated or truncated
    return Episode(**tape.tensors(), world=name, seed=seed, split=split, policy=policy.name, recipe=recipe)


class _Tape:
    """Room for a whole episode, so that a frame costs one copy."""

    def __init__(self, steps: int, instants: NDArray[np.int64]) -> None:
        self._length, self._taken = 0, 0
        self._frames = np.empty((steps, FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8)
        self._depth = np.empty((steps, THUMB_HEIGHT, THUMB_WIDTH), np.float32)
        self._poses = np.empty((steps, 5), np.float32)
        self._actions = np.empty((steps, ACTION_DIM), np.float32)
        self._conditions = np.empty((steps, CONDITIONS_DIM), np.float32)
        self._pictures = np.empty((len(instants), PICTURE_HEIGHT, PICTURE_WIDTH, 3), np.uint8)
        self._instants = instants.astype(np.int64)

    def add(self, world: Any, frame: NDArray[np.uint8], info: dict[str, Any], action: Action) -> None:
        """Keeps what the world shows now and the action that comes next."""
        t = self._length
        self._frames[t] = frame
        self._depth[t] = nearest(info["depth"])
        self._poses[t] = info["pose"].to_array()
        self._actions[t] = action.to_array()
        self._conditions[t] = info["conditions"].to_array()
        if self._taken < len(self._instants) and self._instants[self._taken] == t:
            self._pictures[self._taken] = world.picture(PICTURE_WIDTH, PICTURE_HEIGHT)
            self._taken += 1
        self._length += 1

    def tensors(self) -> dict[str, Any]:
        """What was kept, by the names of `Episode`."""
        n, k = self._length, self._taken
        return {
            "frames": self._frames[:n],
            "depth": compact_depth(self._depth[:n]),
            "poses": self._poses[:n],
            "actions": self._actions[:n],
            "conditions": self._conditions[:n],
            "pictures": self._pictures[:k],
            "picture_index": self._instants[:k],
        }
