"""Recall: what remembered pictures show, put over a dreamed latent."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from genie_lite.camera import FAR, NEAR, TAN_Y
from genie_lite.model.autoencoder import Autoencoder, AutoencoderConfig
from genie_lite.model.recall import LARGE, STRENGTH, YOUNG, Recall, Rendered

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


def rendered(
    recall: Recall, pictures: Tensor, depth: Tensor, poses: Tensor, target: Tensor, exact: Tensor | None = None
) -> Rendered:
    return recall.rendered(pictures, recall.sky_of(pictures, depth), depth, poses, target, exact=exact)


def post(metres: float) -> tuple[Tensor, Tensor]:
    """A dark post so far away, 20 pixels wide, before a bright sky from top to bottom: picture and log-depth."""
    picture, depth = torch.full((1, 3, 144, 256), 0.5), torch.ones(1, 1, 72, 128)
    picture[..., 118:138], depth[..., 59:69] = -0.5, flat(metres)[..., :10]
    return picture, depth


def moved(**change: float) -> Tensor:
    pose = HERE.clone()
    for name, value in change.items():
        pose[0, ("x", "y", "z", "yaw", "pitch").index(name)] = value
    return pose


def bright(colours: Tensor) -> Tensor:
    """The columns in which the middle row is bright."""
    return torch.nonzero(colours[0, 0, 72] > 0).flatten()


def test_from_the_same_place_a_picture_is_what_it_was(recall: Recall) -> None:
    view = rendered(recall, striped(), flat(10.0), HERE, HERE)
    assert torch.allclose(view.colours, striped(), atol=0.02)
    assert float(view.trust[..., 4:-4, 4:-4].min()) > 0.95
    assert torch.allclose(view.depth, flat(10.0), atol=1e-4)


def test_things_move_and_grow_as_geometry_says(recall: Recall) -> None:
    # Half way to a wall everything is twice as large.
    view = rendered(recall, striped(), flat(10.0), HERE, moved(y=5.0))
    assert len(bright(view.colours)) == pytest.approx(32, abs=3)
    assert float(view.trust[0, 0, 36, 64]) == pytest.approx(LARGE / 2, abs=0.05)
    # A step to the right moves what is near to the left, and what is far hardly.
    near = rendered(recall, striped(), flat(5.0), HERE, moved(x=1.0)).colours
    far = rendered(recall, striped(), flat(100.0), HERE, moved(x=1.0)).colours
    assert float(bright(near).float().mean()) < 108 < 126 < float(bright(far).float().mean()) < 129


def test_what_is_recalled_lends_the_dream_its_depth(recall: Recall) -> None:
    dreamed = torch.cat([torch.zeros(1, 3, 72, 128), flat(90.0)], 1)
    seen = rendered(recall, striped(), flat(10.0), HERE, moved(y=3.0)).seen_in(dreamed)
    assert torch.equal(seen[:, :3], dreamed[:, :3])
    assert torch.allclose(seen[0, 3, 20:50, 40:90], flat(7.0)[0, 0, 20:50, 40:90], atol=0.03)
    unseen = rendered(recall, striped(), flat(10.0), HERE, moved(yaw=math.pi)).seen_in(dreamed)
    assert torch.equal(unseen, dreamed), "what memory does not know is as deep as it is dreamed"


def test_what_was_not_seen_is_not_trusted(recall: Recall) -> None:
    view = rendered(recall, striped(), flat(10.0), HERE, moved(yaw=0.6))
    trust = view.trust
    assert float(view.coarse()[0, 3, :, :50].mean()) > 0.9 and not view.coarse()[..., 100:].any()
    assert float(trust[..., :50].mean()) > 0.9 and float(trust[..., 100:].max()) == 0
    behind = rendered(recall, striped(), flat(10.0), HERE, moved(yaw=math.pi)).trust
    assert float(behind.max()) == 0
    enlarged = rendered(recall, striped(), flat(10.0), HERE, moved(y=8.5)).trust
    assert float(enlarged[0, 0, 36, 64]) == pytest.approx(LARGE * 1.5 / 10, abs=0.05)


def test_there_is_sky_behind_what_stands_before_it(recall: Recall) -> None:
    view = rendered(recall, *post(8.0), HERE, moved(x=2.0))
    dark = torch.nonzero(view.colours[0, 0, 72] < 0).flatten()
    assert int(dark.max()) < 110 and 15 < len(dark) < 25, "the post has moved, and stands there once"
    assert float(view.colours[..., 116:140].min()) > 0.45, "where it stood is the sky, without its outline"
    assert float(view.trust[..., 8:64, 58:70].min()) > 0.95 and float(view.depth[..., 58:70].min()) == 1


def test_what_the_sky_shows_of_a_thing_stays_beside_it(recall: Recall) -> None:
    """Leaves too small for depth go with their tree when the eye turns, and are gone when it is past."""
    picture, depth = post(8.0)
    picture[..., 138:140] = 0.1
    turned = rendered(recall, picture, depth, HERE, moved(yaw=-0.2)).colours[0, 0, 72]
    dark, leaves = turned < -0.3, (turned > -0.1) & (turned < 0.3)
    assert 2 <= int(leaves.sum()) <= 6 and int(torch.nonzero(dark).max()) < int(torch.nonzero(leaves).max())
    past = rendered(recall, picture, depth, HERE, moved(x=2.0)).colours
    assert float(past[..., 116:150].min()) > 0.45


def test_what_is_wider_than_things_is_not_taken_for_sky(recall: Recall) -> None:
    picture, depth = torch.full((1, 3, 144, 256), 0.5), torch.ones(1, 1, 72, 128)
    picture[..., 40:], depth[..., 20:] = -0.5, flat(8.0)[..., 20:]
    uncovered = rendered(recall, picture, depth, HERE, moved(x=-3.0)).trust[..., 24:40]
    assert float(uncovered.max()) == 0


def test_what_comes_near_stays_whole(recall: Recall) -> None:
    view = rendered(recall, *post(4.0), HERE, moved(y=3.3))
    assert float(view.colours[..., 90:166].max()) < -0.4, "no sky shines through a post that is six times as large"


def test_what_lies_aslant_stays_whole_and_trusted(recall: Recall) -> None:
    """Rows of ground part as one walks over them; between them it goes on."""
    below = (torch.arange(72) + 0.5) / 72 * 2 - 1
    ahead = torch.where(below > 0.1, 1.6 / (below.clamp_min(0.1) * TAN_Y), FAR)
    depth = ((ahead / NEAR).log() / math.log(FAR / NEAR)).reshape(1, 1, 72, 1).expand(1, 1, 72, 128).contiguous()
    view = rendered(recall, striped(), depth, HERE, moved(y=2.5))
    assert bool(view.known[:, :, :70].all()) and torch.allclose(
        view.depth[..., 46:68, :], depth[..., 46:68, :], atol=0.015
    )
    trust = view.trust[0, 0, 42:52, 20:108]
    assert float(trust.min()) > 0.6, "no stripes"


def test_known_depth_is_trusted_for_longer(recall: Recall) -> None:
    wall = striped(), flat(10.0), HERE, moved(y=5.0)
    read, known = (rendered(recall, *wall, exact=torch.tensor([exact])).trust[0, 0, 36, 64] for exact in (False, True))
    assert float(read) == pytest.approx(LARGE / 2, abs=0.05) and float(known) > 0.98


def test_a_second_view_fills_what_the_first_does_not_know(recall: Recall) -> None:
    dark, light = torch.full((1, 3, 144, 256), -0.5), torch.full((1, 3, 144, 256), 0.5)
    poses = torch.cat([moved(yaw=0.6), HERE])
    both = rendered(recall, torch.cat([dark, light]), torch.cat([flat(10.0), flat(5.0)]), poses, HERE.repeat(2, 1))
    left, right = both.colours[..., :80], both.colours[..., 136:]
    assert float(left.mean()) == pytest.approx(0.5, abs=0.02) and float(right.mean()) == pytest.approx(-0.5, abs=0.02)


def test_the_first_view_wins_unless_it_is_too_coarse(recall: Recall) -> None:
    pictures = torch.cat([torch.full((1, 3, 144, 256), -0.5), torch.full((1, 3, 144, 256), 0.5)])

    def shown(first: float, second: float, target: float) -> float:
        """The middle of the view where two look at one wall 10 m from the start, each from so many metres on."""
        poses, depth = torch.cat([moved(y=first), moved(y=second)]), torch.cat([flat(10 - first), flat(10 - second)])
        view = rendered(recall, pictures, depth, poses, moved(y=target).repeat(2, 1))
        return float(view.colours[0, 0, 72, 128])

    assert shown(0, 3, 5) == pytest.approx(-0.5, abs=0.02), "twice as large"
    assert shown(0, 8, 8.5) == pytest.approx(0.5, abs=0.02), "seven times as large"


def test_a_dream_goes_over_to_what_it_recalls_the_more_the_older_it_is(recall: Recall) -> None:
    grey = torch.zeros(1, 16, 18, 32)
    shown = rendered(recall, torch.full((1, 3, 144, 256), 0.4), flat(10.0), HERE, HERE)
    base = recall.picture(grey)[..., 64, 64].mean()

    def change(age: int) -> float:
        return float(recall.picture(recall.over(grey, shown, age))[..., 64, 64].mean() - base)

    assert change(0) == 0
    assert change(YOUNG) == change(9 * YOUNG) == pytest.approx(STRENGTH * (0.4 - float(base)), rel=0.1)
    assert change(YOUNG // 2) == pytest.approx(change(YOUNG) / 2, rel=0.1)
    same = rendered(recall, recall.picture(grey), flat(10.0), HERE, HERE)
    assert torch.allclose(recall.over(grey, same, YOUNG), grey, atol=1e-3), "a picture of itself changes nothing"
