"""Stereo: a textured wall, whose depth is known, seen from several places."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from genie_lite.camera import FAR, NEAR, TAN_X, TAN_Y
from genie_lite.engine.past import Past
from genie_lite.model.stereo import set_right

WALL = 10.0
NATURAL = math.log(FAR / NEAR)


def pose(x: float = 0.0, y: float = 0.0) -> Tensor:
    return torch.tensor([[x, y, 0.0, 0.0, 0.0]])


def picture(at: Tensor) -> Tensor:
    """A wall 10 m north of the origin, painted in waves of a metre or two, seen from a pose: 1 3 144 256."""
    down, right = torch.meshgrid(torch.arange(144) + 0.5, torch.arange(256) + 0.5, indexing="ij")
    away = WALL - at[0, 1]
    east, up = at[0, 0] + (right / 128 - 1) * TAN_X * away, (1 - down / 72) * TAN_Y * away
    waves = [(4 * east).sin() * (3 * up).cos(), (3 * east + 2 * up).sin(), (5 * up - 2 * east).cos()]
    return 0.7 * torch.stack(waves)[None].float()


def depth(metres: float) -> Tensor:
    return torch.full((1, 1, 72, 128), math.log(metres / NEAR) / NATURAL)


def wrong_by(found: Tensor, metres: float = WALL) -> float:
    """The median error where no picture's rim is near, as a share of the distance."""
    return float(((found - depth(metres)).abs() * NATURAL)[..., 12:-12, 20:-20].median())


def test_depth_is_set_right_by_what_others_see() -> None:
    places = torch.cat([pose(-0.8), pose(-0.4), pose(0.5), pose(0.9, -0.5)])
    others = torch.cat([picture(place[None]) for place in places])
    for guess in (7.5, 13.0):
        assert wrong_by(depth(guess)) > 0.25
        assert wrong_by(set_right(depth(guess), picture(pose()), pose(), others, places)) < 0.05
    assert wrong_by(set_right(depth(WALL), picture(pose()), pose(), others, places)) < 0.03


def test_what_tells_nothing_changes_nothing() -> None:
    here = picture(pose())
    assert torch.equal(set_right(depth(7.0), here, pose(), here[:0], pose()[:0]), depth(7.0))
    same = set_right(depth(7.0), here, pose(), here, pose())
    assert wrong_by(same, 7.0) < 1e-4, "from one place everything has one direction, wherever it is"
    grey = torch.zeros_like(here)
    assert wrong_by(set_right(depth(7.0), grey, pose(), grey, pose(0.5)), 7.0) < 0.03, "one grey is like another"


def test_the_sky_stays() -> None:
    sky = torch.ones(1, 1, 72, 128)
    assert torch.equal(set_right(sky, picture(pose()), pose(), picture(pose(1.0)), pose(1.0)), sky)


def test_frames_of_the_past_tell_each_others_depth() -> None:
    path = torch.cat([pose(0.02 * step) for step in range(60)]).double()
    frames = np.concatenate([((picture(at[None]) + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy() for at in path])

    def thumbnail(latent: Tensor, at: Tensor) -> Tensor:
        return torch.cat([torch.zeros(1, 3, 72, 128), depth(7.5)], 1)

    def encode(chosen: np.ndarray) -> Tensor:
        return torch.from_numpy(chosen[:, :1, :1, 0]).float()

    past = Past(frames, path, encode, thumbnail)
    seen = past.seen([0, 30, 59])
    assert all(wrong_by(thumb[:, 3:]) < 0.06 for _, thumb in seen)
    assert [float(latent) for latent, _ in seen] == [float(frames[index, 0, 0, 0]) for index in (0, 30, 59)]
    assert past.seen([]) == []
    (alone,) = Past(frames[:1], path[:1], encode, thumbnail).seen([0])
    assert torch.equal(alone[1][:, 3:], depth(7.5))
