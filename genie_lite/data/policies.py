"""Who walks while episodes are collected: seeded policies, one action a step, and conditions that drift.

A policy is an endless iterator of actions. It sees only whether the last step was blocked, so that the data hold every
kind of motion a player may ask for, and none that depends on the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genie_lite.actions import IDLE, LOOK_RATE, STEPS_PER_SECOND, TURN_RATE, Action
from genie_lite.camera import Pose
from genie_lite.conditions import BIOMES, Conditions

WEIGHTS = {"walk": 0.32, "keys": 0.34, "there_and_back": 0.14, "look_around": 0.12, "idle": 0.08}
"""The share of episodes by policy. Random keys weigh most: they hold the combinations and sudden changes of a real
player; mirrored walks and full turns show what memory is for; walk, keys and look_around hold idle times as well."""

FULL_TURN = round(2 * math.pi / TURN_RATE * STEPS_PER_SECOND)
"""Steps of a full turn at full speed: 96."""


@dataclass(slots=True)
class Senses:
    """All that a policy feels of the world: whether the last step was blocked."""

    blocked: bool = False


class Policy:
    """A seeded stream of actions.

    name: a key of WEIGHTS; steps: the length of the episode, which there-and-back trips are fitted into.
    Raises KeyError for an unknown name.
    """

    def __init__(self, name: str, rng: np.random.Generator, steps: int) -> None:
        self.name = name
        self._senses = Senses()
        self._actions = _POLICIES[name](rng, self._senses, steps)

    def act(self, blocked: bool = False) -> Action:
        """The next action; `blocked` is whether the world stopped the last one."""
        self._senses.blocked = blocked
        return next(self._actions)


def pick_policy(rng: np.random.Generator, steps: int) -> Policy:
    """A policy drawn by WEIGHTS."""
    return Policy(str(rng.choice(list(WEIGHTS), p=list(WEIGHTS.values()))), rng, steps)


def _walk(rng: np.random.Generator, senses: Senses, _steps: int) -> Iterator[Action]:
    """Goes somewhere: a heading, a stretch of walking or running towards it, and a new heading."""
    pitch = 0.0
    while True:
        if rng.random() < 0.12:
            yield from _rest(rng)
        heading = rng.normal(0, math.radians(60))
        speed = float(rng.choice([1.0, rng.uniform(0.2, 1.0)]))
        turning = math.ceil(abs(heading) / (speed * TURN_RATE) * STEPS_PER_SECOND)
        stretch = replace(
            IDLE,
            forward=float(rng.choice([1.0, rng.uniform(0.4, 1.0)], p=[0.8, 0.2])),
            strafe=float(rng.choice([0.0, -1.0, 1.0, rng.uniform(-1, 1)], p=[0.8, 0.07, 0.07, 0.06])),
            run=bool(rng.random() < 0.25),
        )
        curve = float(rng.choice([0.0, rng.uniform(-0.3, 0.3)], p=[0.6, 0.4]))
        look = -math.copysign(1, pitch) * rng.uniform(0.1, 0.6) if rng.random() < 0.3 else 0.0
        for step in range(turning + _span(rng, 0.5, 4)):
            turn = math.copysign(speed, heading) if step < turning else curve
            jump = rng.random() < 0.01
            action = replace(stretch, turn=turn, look=look if step < 12 else 0.0, jump=bool(jump))
            pitch = _pitch_after(pitch, action)
            yield action
            if senses.blocked:
                yield from _turn_away(rng)
                break


def _turn_away(rng: np.random.Generator) -> Iterator[Action]:
    """60 to 170 degrees to one side, sometimes walking backwards first."""
    if rng.random() < 0.3:
        yield from [Action(forward=-1.0)] * _span(rng, 0.2, 0.6)
    yield from _turn(float(rng.choice([-1.0, 1.0])) * rng.uniform(1 / 6, 0.47), rng.uniform(0.6, 1.0))


def _turn(turns: float, speed: float) -> Iterator[Action]:
    """Exactly that many full turns (right is +) at about that speed in (0, 1]."""
    steps = max(1, math.ceil(abs(turns) * FULL_TURN / speed - 1e-9))
    yield from [Action(turn=max(-1.0, min(1.0, turns * FULL_TURN / steps)))] * steps


def _keys(rng: np.random.Generator, _senses: Senses, _steps: int) -> Iterator[Action]:
    """Each key is held for its own random time; half of the players turn and look with a mouse or a stick."""
    mouse = rng.random() < 0.5
    forward = _held(rng, [1.0, 0.0, -1.0, None], [0.58, 0.2, 0.14, 0.08], 1.2)
    strafe = _held(rng, [0.0, 1.0, -1.0, None], [0.6, 0.17, 0.17, 0.06], 0.7)
    turn = _mouse(rng) if mouse else _held(rng, [0.0, 1.0, -1.0, None], [0.36, 0.26, 0.26, 0.12], 0.6)
    look = _mouse(rng) if mouse else _held(rng, [0.0, 1.0, -1.0, None], [0.7, 0.11, 0.11, 0.08], 0.4)
    jump = _held(rng, [0.0, 1.0], [0.88, 0.12], 0.4)
    run = _held(rng, [0.0, 1.0], [0.65, 0.35], 1.5)
    pitch = 0.0
    while True:
        if rng.random() < 1 / (12 * STEPS_PER_SECOND):
            yield from _rest(rng)
        up = next(look)
        if abs(pitch) > 0.25 and up * pitch > 0 and rng.random() < 0.7:
            up = -up  # people seldom stare at the sky or at their feet
        action = Action(next(forward), next(strafe), next(turn), up, next(jump) > 0.5, next(run) > 0.5)
        pitch = _pitch_after(pitch, action)
        yield action


def _held(
    rng: np.random.Generator, values: list[float | None], weights: list[float], seconds: float
) -> Iterator[float]:
    """A key: values drawn by weight (None: any in [-1, 1]), each held for an exponential time of that mean."""
    while True:
        value = values[int(rng.choice(len(values), p=weights))]
        value = float(rng.uniform(-1, 1)) if value is None else value
        yield from [value] * (1 + int(rng.exponential(seconds * STEPS_PER_SECOND)))


def _mouse(rng: np.random.Generator) -> Iterator[float]:
    """A mouse: strokes of a random strength that swell and fade with a tremble, and rests between them."""
    while True:
        yield from [0.0] * int(rng.exponential(8))
        strength, steps = rng.uniform(-1.4, 1.4), _span(rng, 0.15, 1.2)
        for step in range(steps):
            value = strength * math.sin(math.pi * (step + 0.5) / steps) + rng.normal(0, 0.05)
            yield float(min(1.0, max(-1.0, value)))


def _idle(rng: np.random.Generator, senses: Senses, steps: int) -> Iterator[Action]:
    """A few steps, then nothing at all for a long time."""
    walk = _walk(rng, senses, steps)
    while True:
        for _ in range(int(rng.integers(0, 2 * STEPS_PER_SECOND))):
            yield next(walk)
        yield from [IDLE] * _span(rng, 4, 30)


def _rest(rng: np.random.Generator) -> Iterator[Action]:
    """Nothing at all for one to five seconds."""
    yield from [IDLE] * _span(rng, 1, 5)


def _look_around(rng: np.random.Generator, senses: Senses, steps: int) -> Iterator[Action]:
    """Full and partial turns at full and partial speed, looks up and down, a few steps between."""
    walk, stops = _walk(rng, senses, steps), [_full_turn, _glance, _nod, _rest]
    while True:
        stop = stops[int(rng.choice(len(stops), p=[0.45, 0.25, 0.2, 0.1]))]
        yield from stop(rng)
        if rng.random() < 0.3:
            for _ in range(_span(rng, 0.3, 2)):
                yield next(walk)


def _full_turn(rng: np.random.Generator) -> Iterator[Action]:
    yield from _turn(float(rng.choice([-1.0, 1.0])), float(rng.choice([1.0, rng.uniform(0.4, 1.0)])))


def _glance(rng: np.random.Generator) -> Iterator[Action]:
    """Part of a turn and, mostly, back again."""
    turns, speed = rng.uniform(-0.5, 0.5), rng.uniform(0.3, 1.0)
    yield from _turn(turns, speed)
    yield from [IDLE] * _span(rng, 0.05, 1)
    if rng.random() < 0.7:
        yield from _turn(-turns, speed)


def _nod(rng: np.random.Generator) -> Iterator[Action]:
    """Up or down and back, sometimes while turning."""
    look = float(rng.choice([-1.0, 1.0])) * float(rng.choice([1.0, rng.uniform(0.3, 1.0)]))
    turn = float(rng.choice([0.0, rng.uniform(-1, 1)]))
    steps = _span(rng, 0.2, 0.7)
    yield from [Action(look=look, turn=turn)] * steps
    yield from [IDLE] * _span(rng, 0.05, 1)
    yield from [Action(look=-look, turn=turn)] * steps


def _there_and_back(rng: np.random.Generator, senses: Senses, steps: int) -> Iterator[Action]:
    """Out, and the same way back: facing home after a half turn, or backwards like a film run in reverse."""
    room = max(8, (steps - FULL_TURN) // 2)
    while True:
        walk, pitch, out = _walk(rng, senses, steps), 0.0, []
        for _ in range(int(rng.integers(room // 2, room))):
            action = replace(next(walk), jump=False)
            looked = _pitch_after(pitch, action)
            action = replace(action, look=(looked - pitch) / (LOOK_RATE / STEPS_PER_SECOND))
            pitch = looked
            out.append(action)
            yield action
        backwards = rng.random() < 0.3
        if not backwards:
            yield from _turn(float(rng.choice([-0.5, 0.5])), 1.0)
        yield from mirrored(out, backwards)
        if not backwards:
            yield from _turn(float(rng.choice([-0.5, 0.5])), 1.0)


def mirrored(out: list[Action], backwards: bool) -> Iterator[Action]:
    """The way back of a walk, one step longer than it: in open country it ends where the walk began.

    A world turns before it moves, so each move goes back before its turn is undone. backwards: still facing the
    way out; otherwise a half turn has come first and the moves stay as they were.
    """
    sign = -1.0 if backwards else 1.0
    moves, turns = [*reversed(out), IDLE], [IDLE, *reversed(out)]
    for move, turn in zip(moves, turns, strict=True):
        yield replace(move, forward=sign * move.forward, strafe=sign * move.strafe, turn=-turn.turn, look=-turn.look)


def _span(rng: np.random.Generator, shortest: float, longest: float) -> int:
    """A number of steps between two times in seconds, short ones likelier (log-uniform)."""
    return max(1, round(float(np.exp(rng.uniform(math.log(shortest), math.log(longest)))) * STEPS_PER_SECOND))


def _pitch_after(pitch: float, action: Action) -> float:
    return Pose(pitch=pitch).rotated(action).pitch


_POLICIES: dict[str, Callable[[np.random.Generator, Senses, int], Iterator[Action]]] = {
    "walk": _walk,
    "keys": _keys,
    "there_and_back": _there_and_back,
    "look_around": _look_around,
    "idle": _idle,
}


def random_conditions(rng: np.random.Generator) -> Conditions:
    """Any conditions: for worlds that have no taste of their own."""
    weights = rng.dirichlet(np.full(len(BIOMES), 0.3)) + 1e-6
    names = ("fog", "clouds", "vegetation", "ruggedness", "water", "settlement")
    strengths = {name: float(rng.uniform(0, 1)) for name in names}
    return Conditions(meadow=1.0, hour=float(rng.uniform(0, 23.99)), **strengths).with_biomes(weights)


def conditions_of(world: Any, rng: np.random.Generator) -> Conditions:
    """Random conditions to the taste of a world (the Env of `make_world`, unwrapped), or any if it has none."""
    drawn: Conditions = getattr(world, "sample_conditions", random_conditions)(rng)
    return drawn


class ConditionsDrift:
    """Hour and weather that glide within an episode: dusk falls, fog rolls in, rain starts or stops.

    In SHARE of the episodes one or two glides happen, of 1 s up to the whole episode; otherwise nothing ever changes.
    """

    SHARE = 0.3

    def __init__(self, rng: np.random.Generator, start: Conditions, steps: int) -> None:
        self._now, self._glides = start, []
        kinds = list(_EVENTS) if rng.random() < self.SHARE else []
        for kind in rng.permutation(kinds)[: int(rng.integers(1, 3))]:
            longest = max(2.0, steps / STEPS_PER_SECOND)
            begin, length = int(rng.integers(0, max(1, steps * 2 // 3))), _span(rng, 1.0, longest)
            self._glides.append((begin, length, _EVENTS[str(kind)](rng, start)))

    def at(self, frame: int) -> Conditions:
        """The conditions of a frame, the object of the frame before if nothing changed. Ask for each frame once."""
        for begin, length, changes in self._glides:
            if begin < frame <= begin + length:
                gain = _ease((frame - begin) / length) - _ease((frame - begin - 1) / length)
                self._now = _shifted(self._now, changes, gain)
        return self._now


def _shifted(now: Conditions, changes: dict[str, float], gain: float) -> Conditions:
    """Adds that share of the changes; clamps strengths and wraps the hour."""
    values: dict[str, float] = {}
    for name, change in changes.items():
        value = getattr(now, name) + change * gain
        values[name] = value % 24 % 24.0 if name == "hour" else min(1.0, max(0.0, value))
    return replace(now, **values)


def _ease(t: float) -> float:
    return t * t * (3 - 2 * t)


def _time_passes(rng: np.random.Generator, _now: Conditions) -> dict[str, float]:
    return {"hour": float(rng.choice([1.0, 1.0, -1.0])) * rng.uniform(1, 8)}


def _towards(now: Conditions, **targets: float) -> dict[str, float]:
    return {name: target - getattr(now, name) for name, target in targets.items()}


def _fog_turns(rng: np.random.Generator, now: Conditions) -> dict[str, float]:
    return _towards(now, fog=rng.uniform(0.5, 1.0) if now.fog < 0.4 else rng.uniform(0, 0.15))


def _rain_turns(rng: np.random.Generator, now: Conditions) -> dict[str, float]:
    if now.rain > 0.2:
        return _towards(now, rain=0.0, clouds=rng.uniform(0, 0.6))
    return _towards(now, rain=rng.uniform(0.4, 1.0), clouds=rng.uniform(0.7, 1.0), snowfall=0.0)


def _snow_turns(rng: np.random.Generator, now: Conditions) -> dict[str, float]:
    if now.snowfall > 0.2:
        return _towards(now, snowfall=0.0, clouds=rng.uniform(0, 0.6))
    return _towards(now, snowfall=rng.uniform(0.4, 1.0), clouds=rng.uniform(0.6, 1.0), rain=0.0)


def _clouds_turn(rng: np.random.Generator, now: Conditions) -> dict[str, float]:
    return _towards(now, clouds=rng.uniform(0, 1))


_EVENTS: dict[str, Callable[[np.random.Generator, Conditions], dict[str, float]]] = {
    "hour": _time_passes,
    "fog": _fog_turns,
    "rain": _rain_turns,
    "snowfall": _snow_turns,
    "clouds": _clouds_turn,
}
