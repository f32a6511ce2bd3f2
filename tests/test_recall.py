"""Recall: what remembered pictures show, put over a dreamed latent."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from genie_lite.camera import FAR, NEAR
from genie_lite.model.autoencoder import Autoencoder, AutoencoderConfig
from genie_lite.model.recall import STRENGTH, YOUNG, Recall

HERE = torch.zeros(1, 5)


@pytest.fixture(scope="module")
def recall() -> Recall:
    """Of an autoencoder whose linear maps are the principal components of smooth pictures."""
    torch.manual_seed(0)
    net = Autoencoder(AutoencoderConfig(8, 8, 8, 8, 1, 8, 1, 8))
    coarse = torch.rand(64, 3, 9, 16) * 1.6 - 0.8
    net.start_from_pca(torch.nn.functional.interpolate(coarse, size=(144, 256), mode="bilinear"))
    return Recall(net)


def striped() -> Tensor:
    """A picture with one bright stripe in the middle: 1 3 144 256."""
    picture = torch.full((1, 3, 144, 256), -0.5)
    picture[..., 120:136] = 0.5
    return picture


def flat(metres: float) -> Tensor:
    """Log-depth, 1 1 72 128, of a wall across the whole view."""
    return torch.full((1, 1, 72, 128), math.log(metres / NEAR) / math.log(FAR / NEAR))


def moved(**change: float) -> Tensor:
    pose = HERE.clone()
    for name, value in change.items():
        pose[0, ("x", "y", "z", "yaw", "pitch").index(name)] = value
    return pose


def bright(colours: Tensor) -> Tensor:
    """The columns in which the middle row is bright."""
    return torch.nonzero(colours[0, 0, 72] > 0).flatten()


def test_from_the_same_place_a_picture_is_what_it_was(recall: Recall) -> None:
    view = recall.rendered(striped(), flat(10.0), HERE, HERE)
    assert torch.allclose(view.colours, striped(), atol=0.02)
    assert float(view.trust[..., 4:-4, 4:-4].min()) > 0.95
    assert torch.allclose(view.depth, flat(10.0), atol=1e-4)


def test_things_move_and_grow_as_geometry_says(recall: Recall) -> None:
    # Half way to a wall everything is twice as large.
    view = recall.rendered(striped(), flat(10.0), HERE, moved(y=5.0))
    assert len(bright(view.colours)) == pytest.approx(32, abs=3)
    assert float(view.trust[0, 0, 36, 64]) > 0.8
    # A step to the right moves what is near to the left, and what is far hardly.
    near = recall.rendered(striped(), flat(5.0), HERE, moved(x=1.0)).colours
    far = recall.rendered(striped(), flat(100.0), HERE, moved(x=1.0)).colours
    assert float(bright(near).float().mean()) < 108 < 126 < float(bright(far).float().mean()) < 129


def test_what_is_recalled_lends_the_dream_its_depth(recall: Recall) -> None:
    dreamed = torch.cat([torch.zeros(1, 3, 72, 128), flat(90.0)], 1)
    seen = recall.rendered(striped(), flat(10.0), HERE, moved(y=5.0)).seen_in(dreamed)
    assert torch.equal(seen[:, :3], dreamed[:, :3])
    assert torch.allclose(seen[0, 3, 20:50, 40:90], flat(5.0)[0, 0, 20:50, 40:90], atol=0.03)
    unseen = recall.rendered(striped(), flat(10.0), HERE, moved(yaw=math.pi)).seen_in(dreamed)
    assert torch.equal(unseen, dreamed), "what memory does not know is as deep as it is dreamed"


def test_what_was_not_seen_is_not_trusted(recall: Recall) -> None:
    view = recall.rendered(striped(), flat(10.0), HERE, moved(yaw=0.6))
    trust = view.trust
    assert float(view.coarse()[0, 3, :, :50].mean()) > 0.9 and not view.coarse()[..., 100:].any()
    assert float(trust[..., :50].mean()) > 0.9 and float(trust[..., 100:].max()) == 0
    behind = recall.rendered(striped(), flat(10.0), HERE, moved(yaw=math.pi)).trust
    assert float(behind.max()) == 0
    enlarged = recall.rendered(striped(), flat(10.0), HERE, moved(y=8.5)).trust
    assert 0.4 < float(enlarged[0, 0, 36, 64]) < 0.7


def test_a_second_view_fills_what_the_first_does_not_know(recall: Recall) -> None:
    dark, light = torch.full((1, 3, 144, 256), -0.5), torch.full((1, 3, 144, 256), 0.5)
    poses = torch.cat([moved(yaw=0.6), HERE])
    both = recall.rendered(torch.cat([dark, light]), torch.cat([flat(10.0), flat(5.0)]), poses, HERE.repeat(2, 1))
    left, right = both.colours[..., :80], both.colours[..., 136:]
    assert float(left.mean()) == pytest.approx(0.5, abs=0.02) and float(right.mean()) == pytest.approx(-0.5, abs=0.02)


def test_a_dream_goes_over_to_what_it_recalls_the_more_the_older_it_is(recall: Recall) -> None:
    grey = torch.zeros(1, 16, 18, 32)
    shown = recall.rendered(torch.full((1, 3, 144, 256), 0.4), flat(10.0), HERE, HERE)
    base = recall.picture(grey)[..., 64, 64].mean()

    def change(age: int) -> float:
        return float(recall.picture(recall.over(grey, shown, age))[..., 64, 64].mean() - base)

    assert change(0) == 0
    assert change(YOUNG) == change(9 * YOUNG) == pytest.approx(STRENGTH * (0.4 - float(base)), rel=0.1)
    assert change(YOUNG // 2) == pytest.approx(change(YOUNG) / 2, rel=0.1)
    same = recall.rendered(recall.picture(grey), flat(10.0), HERE, HERE)
    assert torch.allclose(recall.over(grey, same, YOUNG), grey, atol=1e-3), "a picture of itself changes nothing"
