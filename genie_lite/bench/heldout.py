"""The truth that dreams are measured against: episodes of a simulator from test seeds, which no training ever sees."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import Action
from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH
from genie_lite.conditions import BIOMES, Conditions
from genie_lite.data.collect import SPLIT_SEEDS
from genie_lite.data.policies import Policy, conditions_of

POLICIES = ("walk", "keys")
"""Who walks: purposeful walking and random keys take turns, so that every biome is met with both."""

PICTURE_SIZE = (1280, 720)

ELSEWHERE = 500_000
"""Added to a held-out world's seed for another one, which no training sees either."""


@dataclass(frozen=True, slots=True)
class Truth:
    """One episode of T frames.

    frames: uint8 (T, 144, 256, 3); poses: float64 (T, 5); actions[t] leads from frame t to t + 1; conditions: one for
    each frame; start: what the world was made from; pictures: frame number -> the same instant, uint8 (720, 1280, 3).
    """

    seed: int
    start: Conditions
    frames: NDArray[np.uint8]
    poses: NDArray[np.float64]
    actions: tuple[Action, ...]
    conditions: tuple[Conditions, ...]
    pictures: dict[int, NDArray[np.uint8]]


def record(
    world: Any,
    number: int,
    steps: int,
    instants: Collection[int] = (),
    policy: str | None = None,
    first_seed: int = SPLIT_SEEDS["test"],
    prepare: Callable[[Conditions], Conditions] = lambda drawn: drawn,
    keys_ahead: int = 0,
) -> Truth:
    """Held-out episode `number`, whose strongest biome is BIOMES[number % 8]; weather and hour stay as they are.

    world: the environment of `make_world`; instants: the frames to draw at 720p too; policy: who walks, POLICIES taking
    turns if left out; first_seed: that of episode 0; prepare: makes the start's conditions of those that were drawn;
    keys_ahead: actions beyond the last frame that the walker shall tell, though none of them is done.
    """
    world, seed = world.unwrapped, first_seed + number
    choose_conditions, choose_actions = (np.random.default_rng(c) for c in np.random.SeedSequence(seed).spawn(2))
    drawn = conditions_of(world, choose_conditions)
    start = prepare(led_by(drawn, number % len(BIOMES)))
    name = policy or POLICIES[(number + number // len(BIOMES)) % len(POLICIES)]
    walker = Policy(name, choose_actions, steps)
    frame, info = world.reset(seed=seed, options={"conditions": start})
    frames = np.empty((steps, FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8)
    poses, actions, conditions, pictures = np.empty((steps, 5)), [], [], {}
    for t in range(steps):
        frames[t], poses[t] = frame, info["pose"].to_array()
        conditions.append(info["conditions"])
        if t in instants:
            pictures[t] = world.picture(*PICTURE_SIZE)
        actions.append(walker.act(info.get("blocked", False)))
        if t + 1 < steps:
            frame, _, _, _, info = world.step(actions[-1].to_array())
    actions += [walker.act() for _ in range(keys_ahead)]
    return Truth(seed, start, frames, poses, tuple(actions), tuple(conditions), pictures)


def branch(
    world: Any, truth: Truth, frame: int, actions: Sequence[Action], conditions: Sequence[Conditions] = ()
) -> NDArray[np.uint8]:
    """What the world would have shown, had other actions followed that frame, under other conditions, one for each of
    them, if any are given: uint8 (1 + actions, 144, 256, 3)."""
    world = world.unwrapped
    shown, _ = world.reset(seed=truth.seed, options={"conditions": truth.start})
    for action in truth.actions[:frame]:
        shown, *_ = world.step(action.to_array())
    frames = [shown]
    for index, action in enumerate(actions):
        if conditions:
            world.set_conditions(conditions[index])
        frames.append(world.step(action.to_array())[0])
    return np.stack(frames)


def elsewhere(world: Any, truth: Truth) -> NDArray[np.uint8]:
    """The same walk in another place of the same kind: what the world of another held-out seed shows under the truth's
    conditions and actions, uint8 (T, 144, 256, 3). No dream that does not know what lies ahead can be nearer to the
    truth in the long run than this."""
    return branch(world, replace(truth, seed=truth.seed + ELSEWHERE), 0, truth.actions[: len(truth.frames) - 1])


def led_by(conditions: Conditions, number: int) -> Conditions:
    """The same conditions with the weights of the strongest biome and of biome `number` exchanged."""
    weights = np.array(conditions.biomes)
    strongest = int(weights.argmax())
    weights[[strongest, number]] = weights[[number, strongest]]
    return conditions.with_biomes(weights)
