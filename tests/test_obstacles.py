"""What stands in the way: it bars it as far as it has been seen, and nothing else does."""

import math

import pytest
import torch
from torch import Tensor

from genie_lite.actions import Action
from genie_lite.camera import EYE_HEIGHT, FAR
from genie_lite.engine.obstacles import LOW, MOST_POINTS, REACH, Obstacles
from genie_lite.engine.odometry import Odometry
from genie_lite.model.motion import Motion
from genie_lite.model.reproject import camera_rays, log_depth, rotation

NORTH, SURE = Action(forward=1.0), torch.ones(1, 1, 72, 128)
WALL = (4.0, -9.0, 9.0, 3.0)
TREE = (4.0, -0.2, 0.2, 3.0)


def view(pose: Tensor, *fronts: tuple[float, float, float, float], level: float = -EYE_HEIGHT) -> Tensor:
    """The log-depth, 1 1 72 128, that an eye (1 5) sees of level ground and of fronts that face south on it: how far
    north, from where to where eastwards, how high."""
    ray, start = rotation(pose[0].float()) @ camera_rays(torch.device("cpu")), pose[0, :3].float()
    depth = torch.where(ray[2] < 0, (level - start[2]) / ray[2].clamp_max(-1e-6), FAR)
    for north, west, east, height in fronts:
        there = (north - start[1]) / ray[1].clamp_min(1e-6)
        x, z = start[0] + ray[0] * there, start[2] + ray[2] * there
        hit = (ray[1] > 0) & (there > 0) & (x > west) & (x < east) & (z < height - EYE_HEIGHT)
        depth = torch.where(hit & (there < depth), there, depth)
    return log_depth(depth).reshape(1, 1, 72, 128)


def eye(remembers: bool = True) -> Odometry:
    return Odometry(Motion(), torch.zeros(1, 5, dtype=torch.float64), remembers)


def walk(
    goes: Odometry, steps: int, *fronts: tuple[float, float, float, float], action: Action = NORTH, trust: float = 1.0
) -> Tensor:
    """The places (T 3) of a walk through a country in which these fronts stand."""
    places, thumbnail = [], torch.ones(1, 4, 72, 128)
    for _ in range(steps):
        goes.meet(view(goes.pose, *fronts), SURE * trust, goes.pose)
        goes.step(thumbnail, torch.from_numpy(action.to_array())[None])
        places.append(goes.pose[0, :3])
    return torch.stack(places)


def test_a_wall_stops_who_walks_into_it_and_lets_him_go_back_and_along() -> None:
    goes = eye()
    to_it = walk(goes, 48, WALL)
    assert WALL[0] - REACH - 0.2 < to_it[-1, 1] <= WALL[0] - REACH + 0.05
    assert torch.equal(to_it[-1], to_it[-12]), "pushing does not help"
    aside = walk(goes, 12, WALL, action=Action(strafe=1.0))
    assert aside[-1, 0] - to_it[-1, 0] > 1
    back = walk(goes, 12, WALL, action=Action(forward=-1.0))
    assert back[-1, 1] < aside[-1, 1] - 2


def test_one_who_walks_at_a_slant_slides_along_the_wall() -> None:
    goes = eye()
    goes.pose[0, 3] = math.pi / 4
    places = walk(goes, 72, WALL)
    assert places[-1, 1] < WALL[0] - REACH + 0.05 and places[-1, 0] > 5


def test_one_walks_around_a_tree_that_stands_a_little_aside() -> None:
    tree = (TREE[0], 0.1, 0.5, TREE[3])
    places = walk(eye(), 48, tree)
    assert places[-1, 1] > 6 and places[:, 0].min() < -0.2
    away = (places[:, :2] - torch.tensor([0.3, tree[0]])).norm(dim=1)
    assert away.min() > 0.4


@pytest.mark.parametrize("fronts", [(), ((4.0, -9.0, 9.0, LOW - 0.1),), ((4.0, 1.5, 3.0, 3.0),)])
def test_open_ground_what_is_low_and_what_stands_aside_bar_nothing(
    fronts: tuple[tuple[float, float, float, float], ...],
) -> None:
    places = walk(eye(), 48, *fronts)
    assert float(places[-1, 1]) == pytest.approx(48 * 4.5 / 24) and places[:, 0].abs().max() < 1e-6


def test_ground_that_ends_where_another_view_shows_it_higher_bars_nothing() -> None:
    here, higher = torch.zeros(1, 5, dtype=torch.float64), -EYE_HEIGHT + 1.5
    far, obstacles = view(here, level=higher), Obstacles()
    mixed = view(here)
    mixed[..., :45, :] = far[..., :45, :]
    obstacles.look(mixed[0, 0], SURE[0, 0], here[0])
    along = torch.zeros(60, 3, dtype=torch.float64)
    along[:, 1] = torch.linspace(0, 8, 60)
    assert all(obstacles.nearest(place) == REACH for place in along)


def test_depth_that_is_not_to_be_trusted_bars_nothing_and_no_one_without_memory_is_barred() -> None:
    assert walk(eye(), 48, WALL, trust=0.3)[-1, 1] > 6
    assert walk(eye(remembers=False), 48, WALL)[-1, 1] > 6


def test_what_is_seen_through_is_gone() -> None:
    goes = eye()
    before = walk(goes, 36, TREE)[-1]
    assert before[1] < TREE[0]
    assert walk(goes, 36)[-1, 1] > before[1] + 5


def test_what_is_behind_one_is_remembered() -> None:
    goes = eye()
    walk(goes, 36, WALL)
    goes.pose[0, 3] = math.pi
    here = goes.pose[0, :3].clone()
    places = walk(goes, 12, action=Action(forward=-1.0))
    assert (places - here).norm(dim=1).max() < 0.1


def test_points_are_bounded_and_a_branch_has_its_own() -> None:
    goes = eye()
    walk(goes, 36, WALL)
    other = goes.branch()
    assert walk(other, 24)[-1, 1] > WALL[0], "there it is seen through"
    assert walk(goes, 24, WALL)[-1, 1] < WALL[0]
    obstacles, pose = Obstacles(), torch.zeros(5, dtype=torch.float64)
    obstacles.look(view(pose[None], TREE)[0, 0], SURE[0, 0], pose)
    place = torch.tensor([0.0, TREE[0] - 0.3, 0.0], dtype=torch.float64)
    assert obstacles.nearest(place) == pytest.approx(0.3, abs=0.1)
    elsewhere = pose + torch.tensor([100.0, 0, 0, 0, 0])
    for _ in range(MOST_POINTS // 200):
        obstacles.look(view(pose[None], WALL)[0, 0], SURE[0, 0], elsewhere)
    assert obstacles.nearest(place) == REACH
