"""What is measured on single pictures."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import country

from genie_lite.bench.distortions import blurred
from genie_lite.bench.metrics import BEST_PSNR, flow, psnr, sharpness, shift, ssim, turned
from genie_lite.camera import TAN_X


def noisy(picture: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    noise = np.random.default_rng(1).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).round().astype(np.uint8)


def test_psnr_of_a_known_error() -> None:
    grey = np.full((144, 256, 3), 100, np.uint8)
    assert psnr(grey, grey) == BEST_PSNR
    assert psnr(grey, grey + 10) == pytest.approx(20 * math.log10(255 / 10))
    assert psnr(grey + 10, grey) == psnr(grey, grey + 10)
    assert psnr(grey, noisy(grey, 8.0)) == pytest.approx(20 * math.log10(255 / 8), abs=0.1)


def test_ssim_is_one_for_equal_pictures_and_falls_with_noise() -> None:
    picture = country()
    values = [ssim(picture, noisy(picture, sigma)) for sigma in (5, 20, 60)]
    assert ssim(picture, picture) == pytest.approx(1.0)
    assert 1 > values[0] > values[1] > values[2] > 0


def test_a_blurred_picture_is_less_sharp() -> None:
    picture = country()
    assert sharpness(np.full_like(picture, 7)) == 0
    assert sharpness(picture) > 1.3 * sharpness(blurred(picture, 4))


@pytest.mark.parametrize(("right", "down"), [(8, 0), (-8, 0), (0, 5), (0, -5), (-3, 4), (0, 0)])
def test_shift_finds_which_way_a_picture_moved(right: int, down: int) -> None:
    large = country(3, 176, 288)
    before = large[16:160, 16:272]
    after = large[16 - down : 160 - down, 16 - right : 272 - right]
    assert shift(before, noisy(after, 10)) == (right, down)
    assert flow(np.stack([before, after, before])) == (0, 0)


def test_a_turned_picture_shows_what_it_saw_of_where_one_looks_now() -> None:
    half = math.atan(TAN_X)
    ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(144, 0).repeat(3, 2)
    same, everything = turned(ramp, 0.0)
    assert np.array_equal(same, ramp) and everything.all()
    right, seen = turned(ramp, half)
    assert seen[72, :127].all() and not seen[:, 130:].any(), "what was its right edge is its middle"
    assert right[72, 126, 0] > 245 and (np.diff(right[72, :127, 0].astype(int)) >= 0).all()
    left, seen = turned(ramp, -half)
    assert seen[72, 130:].all() and not seen[:, :126].any() and left[72, 130, 0] < 10
