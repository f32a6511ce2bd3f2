"""The worlds through their Gymnasium contract: what is drawn agrees with the pose, depth and conditions reported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genie_lite.actions import Action
from genie_lite.camera import FAR, TAN_X, TAN_Y, Pose
from genie_lite.conditions import BIOMES, Conditions, biome
from genie_lite.errors import RenderError, UsageError
from genie_lite.worlds import make_world

WALK = Action(forward=1.0).to_array()
IDLE = Action().to_array()


def begin(world: Any, conditions: Conditions, seed: int = 1) -> tuple[np.ndarray, dict[str, Any]]:
    return world.reset(seed=seed, options={"conditions": conditions})


def rays(pose: Pose) -> np.ndarray:
    """Directions (144, 256, 3) in world axes through pixel centres, of depth 1."""
    u = ((np.arange(256) + 0.5) / 128 - 1) * TAN_X
    v = (1 - (np.arange(144) + 0.5) / 72) * TAN_Y
    right = np.array([np.cos(pose.yaw), -np.sin(pose.yaw), 0])
    ahead = np.array([np.sin(pose.yaw) * np.cos(pose.pitch), np.cos(pose.yaw) * np.cos(pose.pitch), np.sin(pose.pitch)])
    up = np.cross(right, ahead)
    return ahead + u[None, :, None] * right + v[:, None, None] * up


def pixels_of(points: np.ndarray, pose: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Column, row and depth of world points (N, 3) seen from a pose."""
    away = points - [pose.x, pose.y, pose.z]
    basis = rays(pose)
    ahead = basis[71:73, 127:129].mean((0, 1))
    right = np.array([np.cos(pose.yaw), -np.sin(pose.yaw), 0])
    depth = away @ ahead
    column = (away @ right / depth / TAN_X + 1) * 128 - 0.5
    row = (1 - away @ np.cross(right, ahead) / depth / TAN_Y) * 72 - 0.5
    return np.rint(column).astype(int), np.rint(row).astype(int), depth


def test_the_contract_of_spaces_and_info(world: Any) -> None:
    frame, info = begin(world, biome("meadow"))
    assert world.observation_space.contains(frame)
    assert world.action_space.contains(WALK)
    assert info["depth"].dtype == np.float32 and info["depth"].shape == (144, 256)
    assert info["depth"].max() == pytest.approx(FAR) and info["depth"].min() > 0
    assert isinstance(info["pose"], Pose) and info["blocked"] is False
    assert info["conditions"].meadow == pytest.approx(1.0)


def test_same_seed_and_actions_give_the_same_frames(world: Any) -> None:
    actions = [Action(forward=1, turn=0.3, run=True).to_array()] * 8 + [Action(strafe=-1, jump=True).to_array()] * 8

    def play(seed: int) -> list[np.ndarray]:
        frames = [world.reset(seed=seed)[0]]
        return frames + [world.step(action)[0] for action in actions]

    first, again, other = play(5), play(5), play(6)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("action", [Action(turn=0.4), Action(forward=1.0, look=-0.3)])
def test_depth_and_pose_explain_the_next_frame(world: Any, action: Action) -> None:
    before, info = begin(world, biome("autumn", fog=0.0, clouds=0.0, water=0.0), seed=3)
    after, _, _, _, later = world.step(action.to_array())
    near = info["depth"] < 150
    old = info["pose"]
    points = np.array([old.x, old.y, old.z]) + rays(old)[near] * info["depth"][near][:, None]
    column, row, depth = pixels_of(points, later["pose"])
    inside = (column >= 0) & (column < 256) & (row >= 0) & (row < 144)
    assert inside.mean() > 0.8
    column, row = column[inside], row[inside]
    colours = np.abs(before[near][inside].astype(int) - after[row, column]).mean(1)
    depths = np.abs(depth[inside] / later["depth"][row, column] - 1)
    assert (colours < 12).mean() > 0.9
    assert (depths < 0.05).mean() > 0.9


def test_turning_is_exact_and_walking_keeps_the_speed(world: Any) -> None:
    _, info = begin(world, biome("desert", vegetation=0.0, ruggedness=0.0, water=0.0))
    start = info["pose"]
    turned = world.step(Action(turn=1.0, look=0.5).to_array())[4]["pose"]
    assert turned == start.rotated(Action(turn=1.0, look=0.5))
    for _ in range(24):
        info = world.step(Action(forward=1.0, strafe=1.0).to_array())[4]
    assert np.hypot(info["pose"].x - turned.x, info["pose"].y - turned.y) == pytest.approx(4.5, rel=0.02)


def test_a_jump_rises_about_a_metre_and_lands(world: Any) -> None:
    _, info = begin(world, biome("desert", ruggedness=0.0))
    heights = [info["pose"].z]
    for step in range(30):
        heights.append(world.step(Action(jump=step == 0).to_array())[4]["pose"].z)
    assert 0.8 < max(heights) - heights[0] < 1.2
    assert heights[-1] == pytest.approx(heights[0], abs=0.05)


def test_a_walker_never_stands_in_deep_water(world: Any) -> None:
    _, info = begin(world, biome("tropical", water=1.0, vegetation=0.0), seed=2)
    barred = 0
    for step in range(240):
        turn = 0.5 if step % 60 < 12 else 0.0
        info = world.step(Action(forward=1.0, turn=turn, run=True).to_array())[4]
        barred += info["blocked"]
        assert info["pose"].z > 1.7 - 0.9
    assert barred > 3


def test_trunks_and_walls_bar_the_way(world: Any) -> None:
    begin(world, biome("snow", vegetation=1.0, water=0.0, ruggedness=0.2), seed=4)
    nearest, barred = np.inf, 0
    for _ in range(110):
        info = world.step(Action(forward=1.0, run=True).to_array())[4]
        nearest, barred = min(nearest, float(info["depth"][60:84].min())), barred + info["blocked"]
    assert barred > 0
    assert nearest > 0.25, "the eye went into something"


def test_a_larger_picture_shows_the_same(world: Any) -> None:
    frame, _ = begin(world, biome("alien", hour=20.0))
    assert np.array_equal(world.picture(256, 144), frame)
    large = world.picture(1280, 720)
    assert large.shape == (720, 1280, 3)
    small = large.reshape(144, 5, 256, 5, 3).mean((1, 3))
    difference = small - frame
    assert 10 * np.log10(255**2 / (difference**2).mean()) > 27


def test_hour_and_weather_change_the_picture(world: Any) -> None:
    noon = biome("meadow", hour=12.0, fog=0.0, clouds=0.2)
    day, info = begin(world, noon)
    lit = info["depth"] < 60

    def under(**changes: float) -> np.ndarray:
        world.set_conditions(replace(noon, **changes))
        frame, _, _, _, now = world.step(IDLE)
        assert now["conditions"].hour == changes.get("hour", 12.0)
        return frame.astype(float)

    assert 15 < under(hour=0.0)[lit].mean() < 0.6 * day[lit].mean()
    far = (info["depth"] > 40) & (info["depth"] < FAR)
    assert under(fog=1.0)[far].std(0).mean() < 0.2 * day[far].std(0).mean()
    assert under(rain=1.0)[lit].mean() < 0.95 * day[lit].mean()
    assert (np.abs(under(snowfall=1.0) - under(snowfall=1.0)).max(2) > 30).sum() > 50, "flakes move"
    assert np.abs(under(clouds=1.0) - day)[~far & ~lit].mean() > 5


def test_the_land_stays_when_the_weather_changes(world: Any) -> None:
    _, info = begin(world, biome("meadow"))
    world.set_conditions(biome("desert", fog=0.8))
    later = world.step(IDLE)[4]
    assert np.allclose(info["depth"], later["depth"], atol=0.05)
    assert later["conditions"].meadow == pytest.approx(1.0) and later["conditions"].fog == 0.8


def test_every_biome_has_its_own_look(world: Any) -> None:
    means = []
    for name in BIOMES:
        frame, info = begin(world, biome(name))
        assert getattr(info["conditions"], name) == pytest.approx(1.0)
        assert frame.std() > 12
        means.append(frame[72:].reshape(-1, 3).mean(0))
    gaps = [np.abs(a - b).max() for i, a in enumerate(means) for b in means[:i]]
    assert min(gaps) > 6


def test_conditions_report_the_biome_around_the_player(world: Any) -> None:
    mix = replace(Conditions(meadow=0.5, snow=0.5), vegetation=0.3)
    shares, whiteness = [], []
    for seed in range(5):
        frame, info = begin(world, mix, seed)
        shares.append(info["conditions"].snow)
        bottom = frame[110:].astype(float).mean((0, 1))
        whiteness.append(bottom[2] / bottom[1])
    assert max(shares) > 0.7 and min(shares) < 0.3
    assert np.corrcoef(shares, whiteness)[0, 1] > 0.6


def test_sampled_conditions_cover_everything(world: Any) -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([world.sample_conditions(rng).to_array() for _ in range(600)])
    assert (drawn[:, :8].max(0) == 1.0).all(), "every biome alone"
    assert ((drawn[:, :8] > 0.2).sum(1) == 2).mean() > 0.25, "blends of two"
    for column in (10, 11, 12, 13):
        assert 0.05 < (drawn[:, column] > 0.3).mean() < 0.9
    dry = drawn[:, 3] + drawn[:, 4] > 0.5
    assert drawn[dry, 11].max() == 0


def test_conditions_can_be_given_as_a_vector_or_drawn(world: Any) -> None:
    vector = biome("marsh", hour=9.0).to_array()
    _, info = world.reset(seed=1, options={"conditions": vector})
    assert info["conditions"].marsh == pytest.approx(1.0) and info["conditions"].hour == pytest.approx(9.0, abs=1e-3)
    hours = {world.reset(seed=seed)[1]["conditions"].hour for seed in (1, 2)}
    assert len(hours) == 2


def test_a_missing_driver_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    moderngl = pytest.importorskip("moderngl")

    def fail(**_: object) -> None:
        raise RuntimeError("libEGL.so: cannot open shared object file")

    monkeypatch.setattr(moderngl, "create_standalone_context", fail)
    with pytest.raises(RenderError, match="libegl1 libgl1-mesa-dri") as caught:
        make_world("landscape")
    assert "\n" not in str(caught.value)


def test_the_counting_world_counts_and_moves() -> None:
    world = make_world("counting")
    frame, info = world.reset(seed=7)
    assert world.observation_space.contains(frame) and frame[0, 0].tolist() == [0, 0, 7]
    for _ in range(300):
        frame, _, _, _, info = world.step(Action(forward=1.0).to_array())
    assert frame[5, 9].tolist() == [300 - 256, 1, 7]
    assert info["pose"].y == pytest.approx(300 * 4.5 / 24)
    assert info["depth"].shape == (144, 256) and not info["blocked"]


def test_an_unknown_world_is_refused_with_the_known_names() -> None:
    with pytest.raises(UsageError, match="landscape, counting"):
        make_world("atlantis")


def test_two_worlds_live_side_by_side(world: Any) -> None:
    frame, _ = begin(world, biome("meadow"))
    other = make_world("landscape")
    other.reset(seed=9)
    other.step(WALK)
    assert np.array_equal(world.picture(256, 144), frame)
    other.close()
    assert np.array_equal(world.picture(256, 144), frame)
