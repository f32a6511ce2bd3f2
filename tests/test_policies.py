"""Who walks while episodes are collected, and how conditions drift meanwhile."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from genie_lite.actions import IDLE, STEPS_PER_SECOND
from genie_lite.data.policies import WEIGHTS, ConditionsDrift, Policy, mirrored, random_conditions
from genie_lite.worlds.counting import CountingWorld


def acts(name: str, seed: int, steps: int) -> np.ndarray:
    policy = Policy(name, np.random.default_rng(seed), steps)
    return np.stack([policy.act().to_array() for _ in range(steps)])


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_policy_is_its_seed(name: str) -> None:
    assert np.array_equal(acts(name, 5, 300), acts(name, 5, 300))
    assert not np.array_equal(acts(name, 5, 2000), acts(name, 6, 2000))


def test_random_keys_cover_every_dimension_and_their_combinations() -> None:
    forward, strafe, turn, look, jump, run = np.concatenate([acts("keys", s, 1200) for s in range(12)]).T
    for axis, full in ((forward, 0.1), (strafe, 0.1), (turn, 0.08), (look, 0.02)):
        assert (axis == 1).mean() > full / 2
        assert (axis == -1).mean() > full / 2
        assert (axis == 0).mean() > 0.1
        assert ((axis != 0) & (np.abs(axis) < 1)).mean() > 0.03
    assert 0.03 < jump.mean() < 0.3
    assert 0.15 < run.mean() < 0.6
    walking, turning = forward > 0, turn != 0
    assert (walking & turning).mean() > max((walking & (strafe != 0)).mean(), (walking & (jump > 0)).mean())
    running, sideways = walking & (turn > 0) & (run > 0), (strafe != 0) & turning
    for combination in (running, sideways, (forward < 0) & turning, walking & (look != 0)):
        assert combination.mean() > 0.02


def longest_idle(actions: np.ndarray) -> int:
    moving = np.flatnonzero(np.r_[True, (actions != 0).any(axis=1), True])
    return int(np.diff(moving).max()) - 1


def test_standing_idle_lasts_seconds_and_happens_inside_other_policies() -> None:
    assert longest_idle(acts("idle", 1, 480)) >= 4 * STEPS_PER_SECOND
    for name in ("walk", "keys", "look_around"):
        assert max(longest_idle(acts(name, seed, 1000)) for seed in range(6)) >= STEPS_PER_SECOND


def test_looking_around_holds_full_turns_both_ways_at_several_speeds() -> None:
    speeds = set()
    for seed in range(20):
        turn = acts("look_around", seed, 600)[:, 2]
        starts = np.flatnonzero(np.diff(turn, prepend=2.0))
        for start, stop in zip(starts, [*starts[1:], len(turn)], strict=True):
            if abs(turn[start:stop].sum()) == pytest.approx(96, rel=1e-4):
                speeds.add(round(float(turn[start]), 2))
    assert {1.0, -1.0} <= speeds
    assert sum(0 < s < 1 for s in speeds) > 1
    assert sum(-1 < s < 0 for s in speeds) > 1


def test_a_blocked_walker_turns_away_at_once() -> None:
    policy = Policy("walk", np.random.default_rng(2), 240)
    turned = 0.0
    while policy.act(blocked=False).forward == 0:
        pass
    for _ in range(60):
        action = policy.act(blocked=True)
        turned += action.turn
        if abs(turned) >= 96 / 6:
            return
    pytest.fail("it kept walking into the wall")


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_mirrored_walk_ends_where_it_began(backwards: bool, seed: int) -> None:
    world = CountingWorld()
    _, info = world.reset(seed=1)
    start = info["pose"].to_array()
    rng = np.random.default_rng(seed)
    walk = Policy("walk", rng, 200)
    out = [replace(walk.act(), jump=False, look=0.0) for _ in range(200)]
    half = [replace(IDLE, turn=1.0)] * 48
    way = [*out, *mirrored(out, True)] if backwards else [*out, *half, *mirrored(out, False), *half]
    for action in way:
        _, _, _, _, info = world.step(action.to_array())
    end = info["pose"].to_array()
    assert np.allclose(end[[0, 1, 2, 4]], start[[0, 1, 2, 4]], atol=1e-3)
    assert math.cos(end[3] - start[3]) == pytest.approx(1, abs=1e-6)


def test_there_and_back_fits_a_whole_trip_into_an_episode() -> None:
    for seed in range(8):
        world = CountingWorld()
        world.reset(seed=1)
        policy = Policy("there_and_back", np.random.default_rng(seed), 240)
        poses = [world.step(policy.act().to_array())[4]["pose"].to_array() for _ in range(239)]
        distance = np.linalg.norm([p[:2] for p in poses], axis=1)
        home = distance[int(distance.argmax()) :] < 0.05
        assert distance.max() < 0.5 or home.any()


# --- conditions that drift --------------------------------------------------------------------------------------


def test_conditions_drift_in_about_a_third_of_episodes_smoothly() -> None:
    drifted = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        start = random_conditions(rng)
        drift = ConditionsDrift(rng, start, 240)
        seen = [drift.at(frame) for frame in range(240)]
        assert seen[0] == start
        assert all(c.biomes == start.biomes and c.ruggedness == start.ruggedness for c in seen)
        arrays = np.stack([c.to_array() for c in seen])
        assert np.abs(np.diff(arrays, axis=0)).max() < 0.2
        changed = any(c is not start for c in seen)
        assert changed == (np.ptp(arrays, axis=0).max() > 0)
        drifted += changed
    assert 40 < drifted < 80
