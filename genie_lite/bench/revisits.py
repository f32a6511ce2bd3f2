"""Does a place look the same when one comes back, or looks aside? Full turn, there and back, mirror walk, and standing
still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genie_lite.actions import IDLE, LOOK_RATE, STEPS_PER_SECOND, TURN_RATE, Action
from genie_lite.bench.heldout import Truth, branch
from genie_lite.bench.metrics import psnr, shift, turned
from genie_lite.bench.plan import Plan, Tick
from genie_lite.bench.subject import Dream
from genie_lite.camera import Pose
from genie_lite.data.policies import FULL_TURN
from genie_lite.model.judge import Judge

Found = dict[str, float]

STRIDE = 12
"""Frames that a mirror walk moves before it turns, and turns before it moves."""

HALF_TURNED = 12
"""Frames of a turn between which half of the view stays in view: 45 degrees."""


def returns(dream: Dream, judge: Judge, truth: Truth, number: int, plan: Plan, tick: Tick) -> Found:
    """The last frame of a full turn, and of the trips that this world makes, against the dream's own first frame."""
    journeys = [("full_turn", "", [Action(turn=1.0)] * FULL_TURN)]
    seconds = (seconds for seconds, worlds in plan.trips if number < worlds)
    journeys += [("there_and_back", f"_{s}s", there_and_back(s)) for s in seconds]
    found: Found = {}
    for name, length, actions in journeys:
        film = dream.film(truth, plan.history - 1, plan.history, actions, tick)
        found[f"{name}_psnr{length}"] = psnr(film[-1], film[0])
        found[f"{name}_distance{length}"] = float(judge.distance(film[-1:], film[:1])[0])
    return found


def there_and_back(seconds: int) -> list[Action]:
    """Straight on, half a turn, back, and half a turn: so many seconds in all, at least four of them spent turning."""
    turn = [Action(turn=1.0)] * (FULL_TURN // 2)
    walk = [Action(forward=1.0)] * max(0, seconds * STEPS_PER_SECOND // 2 - len(turn))
    return [*walk, *turn, *walk, *turn]


def turning(dream: Dream, world: Any, truth: Truth, tick: Tick) -> Found:
    """A full turn in a new world, begun from conditions alone as in play: what is in view against what HALF_TURNED
    frames ago was seen of the same. The simulator's own turn says what drifting clouds leave of it."""
    actions = [Action(turn=1.0)] * FULL_TURN
    film = [dream.engine.reset(truth.start, truth.seed).image, *(dream.engine.step(each).image for each in actions)]
    tick(FULL_TURN)
    films = {dream.suffix: np.stack(film), "_truth": branch(world, truth, 0, actions)}
    angle, found = HALF_TURNED * TURN_RATE / STEPS_PER_SECOND, {}
    for suffix, shown in films.items():
        pairs = [(*turned(before, angle), now) for before, now in zip(shown, shown[HALF_TURNED:], strict=False)]
        found[f"turning_psnr{suffix}"] = float(np.mean([psnr(old[seen], now[seen]) for old, seen, now in pairs]))
    return found


def mirror_walk(dream: Dream, world: Any, judge: Judge, truth: Truth, plan: Plan, tick: Tick) -> Found:
    """Some seconds out and the same keys in reverse: each frame of the way back against that of the way out (the mirror
    test of the MIND benchmark). The same walk in the simulator says what obstacles and drifting clouds leave of it."""
    start = plan.history - 1
    out = mirrored_out(truth.actions[start : start + plan.mirror], float(truth.poses[start, 4]))
    actions = [*out, *backwards(out)]
    films = {
        dream.suffix: dream.film(truth, start, plan.history, actions, tick),
        "_truth": branch(world, truth, start, actions),
    }
    found = {}
    for suffix, film in films.items():
        way_out, way_back = film[: len(out)][::-1], film[len(out) + 1 :]
        found[f"mirror_psnr{suffix}"] = float(np.mean([psnr(a, b) for a, b in zip(way_out, way_back, strict=True)]))
        found[f"mirror_distance{suffix}"] = float(judge.distance(way_out, way_back).mean())
    return found


def mirrored_out(actions: Sequence[Action], pitch: float) -> list[Action]:
    """A walk that can be undone exactly: no jumps, no look beyond the limit, and moves and turns in turns, since a step
    that does both turns first. pitch: of the eye when it begins."""
    out = []
    for index, action in enumerate(actions):
        if index // STRIDE % 2 == 0:
            out.append(Action(forward=action.forward, strafe=action.strafe, run=action.run))
            continue
        looked = Pose(pitch=pitch).rotated(action).pitch
        look = float(np.clip((looked - pitch) * STEPS_PER_SECOND / LOOK_RATE, -1, 1))
        out.append(Action(turn=action.turn, look=look))
        pitch = looked
    return out


def backwards(out: Sequence[Action]) -> list[Action]:
    """The keys of the way back, last ones first and each reversed."""
    return [replace(a, forward=-a.forward, strafe=-a.strafe, turn=-a.turn, look=-a.look) for a in reversed(out)]


def idle(dream: Dream, judge: Judge, truth: Truth, plan: Plan, tick: Tick) -> tuple[Found, NDArray[np.float64]]:
    """A minute of no key: the last second against the first, how far the picture has moved, and for every second the
    distance from the first frame."""
    still = dream.film(truth, plan.history - 1, plan.history, [IDLE] * plan.minute, tick)[1:]
    second = min(STEPS_PER_SECOND, plan.minute // 2)
    same = [psnr(a, b) for a, b in zip(still[:second], still[-second:], strict=True)]
    moments = still[second - 1 :: second]
    away = judge.distance(moments, still[:1].repeat(len(moments), 0))
    found = {
        f"idle_psnr_60s{dream.suffix}": float(np.mean(same)),
        f"idle_distance_60s{dream.suffix}": float(away[-1]),
        f"idle_moved_px_60s{dream.suffix}": float(np.hypot(*shift(still[0], still[-1]))),
    }
    return found, away
