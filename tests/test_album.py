"""The album: what is kept of a dream, and how far it is believed, with memory and without."""

import math

import pytest
import torch
from tiny import tiny_model
from torch import Tensor
from torch.nn import functional as F

from genie_lite.engine.album import FADE, FAITHFUL, GUESSED, Album
from genie_lite.model.imagination import AROUND, Imagination, ImaginedView
from genie_lite.model.recall import Recall, Rendered
from genie_lite.model.reproject import metres

HERE = torch.zeros(1, 5, dtype=torch.float64)
FLAT = torch.full((1, 1, 72, 128), 0.6)
OLD = 100 * FAITHFUL


def latent(value: float) -> Tensor:
    return torch.full((1, 16, 18, 32), value)


def imagined(value: float) -> ImaginedView:
    return latent(value), FLAT, HERE


def album(remembers: bool, exact: bool = False) -> Album:
    model = tiny_model()
    coarse = torch.rand(64, 3, 9, 16, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    model.autoencoder.start_from_pca(F.interpolate(coarse, size=(144, 256), mode="bilinear"))
    imagination = Imagination(model.first_frame, model.dynamics.shown)

    def thumbnail(latent: Tensor, pose: Tensor) -> Tensor:
        return torch.cat([torch.zeros(1, 3, 72, 128), FLAT], 1)

    recall, light = Recall(model.autoencoder), model.weather.light
    return Album(recall, imagination, thumbnail, 0, light, torch.zeros(1, 18), remembers, exact)


def seen(frames: list[int]) -> list[tuple[Tensor, Tensor]]:
    """True frames, all alike."""
    return [(latent(0.5), torch.cat([torch.zeros(1, 3, 72, 128), FLAT], 1)) for _ in frames]


def remember(kept: Album, value: float) -> None:
    kept.remember(latent(value), torch.cat([torch.zeros(1, 3, 72, 128), FLAT], 1), HERE, 0, 0)


def shown(kept: Album, age: int) -> Rendered | None:
    """What it shows once a view has come in."""
    return shown_from(kept, HERE, age)


def shown_from(kept: Album, pose: Tensor, age: int = OLD) -> Rendered | None:
    for _ in range(FADE):
        view, _ = kept.rendered(pose, age)
    return view


def trust(kept: Album, age: int) -> float:
    view = shown(kept, age)
    return float(view.trust.max()) if view else 0.0


def test_what_was_seen_is_shown_again_with_memory_and_not_without() -> None:
    with_memory, without = album(True), album(False)
    for kept in (with_memory, without):
        kept.remember_true(seen, HERE[:, None])
    assert trust(with_memory, OLD) == pytest.approx(1)
    assert without.rendered(HERE, OLD) == (None, 0.0)


def test_without_memory_the_view_imagined_last_is_all_there_is() -> None:
    kept = album(False)
    kept.keep_imagined(imagined(0.5))
    first = shown(kept, OLD)
    kept.keep_imagined(imagined(-0.5))
    then = shown(kept, OLD)
    alone = album(False)
    alone.keep_imagined(imagined(-0.5))
    expected = shown(alone, OLD)
    assert first and then and expected and torch.equal(then.colours, expected.colours)
    assert not torch.allclose(then.colours, first.colours, atol=0.01)


def test_what_is_only_imagined_is_believed_the_more_the_older_the_dream() -> None:
    guess = album(True)
    guess.keep_imagined(imagined(0.5))
    assert trust(guess, 0) == pytest.approx(GUESSED), "nothing true is left to contradict"
    forgetful = album(False)
    forgetful.keep_imagined(imagined(0.5))
    found = [trust(forgetful, age) for age in (0, FAITHFUL // 2, FAITHFUL, OLD)]
    assert found == pytest.approx([0, GUESSED / 2, GUESSED, GUESSED])


@pytest.mark.parametrize("remembers", [True, False])
def test_a_dream_with_a_true_past_keeps_to_it_first(remembers: bool) -> None:
    kept = album(remembers)
    kept.remember_true(seen, HERE[:0, None])
    kept.keep_imagined(imagined(0.5))
    found = [trust(kept, age) for age in (0, FAITHFUL, 2 * FAITHFUL)]
    assert found == pytest.approx([0, 0, GUESSED])


def test_of_a_true_past_it_keeps_what_shows_something_new() -> None:
    path, asked = torch.zeros(9, 1, 5, dtype=torch.float64), []
    path[:, 0, 1] = torch.arange(9) * 0.4

    def some(frames: list[int]) -> list[tuple[Tensor, Tensor]]:
        asked.extend(frames)
        return seen(frames)

    album(True).remember_true(some, path)
    assert asked == [0, 3, 6], "more than a metre apart"


def test_it_tells_how_much_of_a_view_is_what_the_dream_began_with() -> None:
    kept, behind = album(True), HERE.clone()
    behind[0, 3] = math.pi
    remember(kept, 0.5)
    kept.keep_imagined((latent(0.5), FLAT, behind))
    aside = HERE.clone()
    aside[0, 3] = 0.5
    here, partly, away = (kept.rendered(pose, OLD)[1] for pose in (HERE, aside, behind))
    assert here > 0.9 and 0.3 < partly < 0.8 and away == 0


@pytest.mark.parametrize("forgets", [False, True])
def test_what_is_imagined_aside_goes_on_from_what_is_seen_here(forgets: bool) -> None:
    kept, aside, seen_now = album(True), HERE.clone(), torch.cat([torch.zeros(1, 3, 72, 128), FLAT], 1)
    kept.remember(torch.linspace(-1, 1, 16).reshape(1, 16, 1, 1).expand(1, 16, 18, 32), seen_now, HERE, 0, 0)
    aside[0, 3] = AROUND[0]
    first, _ = kept.rendered(aside, OLD)
    if forgets:
        kept.memory.forget()
    kept.look_around(seen_now, HERE, torch.zeros(1, 18))
    kept.memory.worth[0, 0] = 0
    view = shown_from(kept, aside)
    assert first and view
    off = (first.colours - view.colours).abs()
    assert (float(off[..., :60].mean()) < 0.02) != forgets, "the left of it is the right of the first view"
    assert off[..., 128:].mean() > 0.05, "the rest is imagined"


def test_a_view_comes_in_bit_by_bit() -> None:
    kept = album(True)
    kept.keep_imagined(imagined(0.5))
    once, _ = kept.rendered(HERE, OLD)
    assert once is not None and float(once.trust.max()) == pytest.approx(GUESSED / FADE)
    assert trust(kept, OLD) == pytest.approx(GUESSED)


def test_where_depth_is_known_things_may_come_nearer() -> None:
    known, read, drawn = album(True, exact=True), album(True), album(True)
    for kept in (known, read):
        remember(kept, 0.5)
    drawn.keep_imagined(imagined(0.5))
    near = HERE.clone()
    near[0, 1] = 0.7 * float(metres(torch.tensor(0.6)))

    def trusted(kept: Album) -> float:
        for _ in range(FADE):
            view, _ = kept.rendered(near, OLD)
        assert view is not None
        return float(view.trust.max())

    assert trusted(read) < 0.6 and trusted(known) > 0.95 and trusted(drawn) == pytest.approx(GUESSED, abs=0.02)
