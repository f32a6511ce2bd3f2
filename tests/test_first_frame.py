"""First frames from example latents, and the prior that keeps old rollouts near them."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from genie_lite.conditions import BIOMES, SKY_COLUMNS, biome
from genie_lite.model.candidates import blurred
from genie_lite.model.first_frame import LATENT_STEP, RESTED, STEPS, FirstFrame, FirstFrameConfig
from genie_lite.model.imagination import AHEAD, AROUND, ASIDE, Imagination
from genie_lite.model.memory import SpatialMemory
from genie_lite.model.prior import GROWN, STRENGTH, UNKNOWN, YOUNG, FollowingPrior, Prior
from genie_lite.model.sampler import seeded_noise


def asked(name: str, hour: float = 12.0) -> Tensor:
    return torch.from_numpy(biome(name, hour=hour).to_array())[None]


def plain(value: float) -> Tensor:
    """A latent of sky (value) above ground (-value)."""
    latent = torch.full((16, 18, 32), value)
    latent[:, 9:] *= -1
    return latent


def flat(count: int, log_depth: float = 0.6) -> Tensor:
    return torch.full((count, 72, 128), log_depth)


@pytest.fixture
def module() -> FirstFrame:
    """Knows one example for every biome: the number of the biome, from -1 to 0.75."""
    made = FirstFrame(FirstFrameConfig(examples=len(BIOMES)))
    examples = torch.stack([plain(index / 4 - 1) for index in range(len(BIOMES))])
    made.fit(examples, flat(len(BIOMES)), torch.cat([asked(name) for name in BIOMES]))
    return made


def test_a_biome_is_drawn_as_its_example_shows_it(module: FirstFrame) -> None:
    for index, name in enumerate(BIOMES):
        drawn, _ = module(seeded_noise(3, 0), asked(name))
        assert (drawn[0] - plain(index / 4 - 1)).abs().mean() < 0.1


def test_parts_of_different_examples_make_a_place_that_none_of_them_shows() -> None:
    torch.manual_seed(0)
    made = FirstFrame(FirstFrameConfig(examples=64))
    # Columns of a wide window agree, so that parts fit each other anywhere.
    examples = torch.randn(64, 16, 1, 1) * torch.ones(64, 16, 18, 32) + 0.1 * torch.randn(64, 16, 18, 32)
    made.fit(examples, flat(64), asked("meadow").expand(64, -1))
    drawn = [made(seeded_noise(seed, 0), asked("meadow"))[0] for seed in (1, 2)]
    assert (drawn[0] - drawn[1]).abs().mean() > 0.2, "another seed is another place"
    assert torch.equal(drawn[0], made(seeded_noise(1, 0), asked("meadow"))[0])


def test_examples_are_put_under_the_sky_asked_for_and_keep_their_land(module: FirstFrame) -> None:
    given = []

    def relit(latents: Tensor, log_depth: Tensor, before: Tensor, after: Tensor) -> Tensor:
        assert latents.shape[1:] == (16, 18, 32) and log_depth.shape[1:] == (1, 72, 128)
        given.append((before, after))
        return latents + 1

    wanted = asked("marsh", hour=0.0)
    module.mean.zero_()
    plainly = module.candidates(wanted, 4).latents
    module.relit = relit
    assert torch.allclose(module.candidates(wanted, 4).latents, plainly + 1, atol=0.05)
    before, after = given[0]
    assert torch.equal(after[:, :8], before[:, :8]) and not torch.equal(after, before)
    assert torch.equal(after[:, SKY_COLUMNS], wanted[:, SKY_COLUMNS].expand(4, -1))
    module.candidates(wanted, 4)
    assert len(given) == 1, "the same is asked for again and again"


def test_guidance_keeps_closer_to_what_is_asked_for() -> None:
    made = FirstFrame(FirstFrameConfig(examples=16))
    mixed = [biome("meadow", settlement=k / 16).to_array() for k in range(16)]
    examples = torch.stack([plain(k / 16) for k in range(16)])
    made.fit(examples, flat(16), torch.from_numpy(np.stack(mixed)))
    wanted = torch.from_numpy(biome("meadow", settlement=0.0).to_array())[None]
    made.mean.zero_()

    def away(guidance: float) -> float:
        drawn = [list(made.draw(seeded_noise(seed, 0), wanted, guidance=guidance))[-1][0] for seed in range(12)]
        return sum(float((one[0] - plain(0.0)).abs().mean()) for one in drawn)

    assert away(4.0) < 0.7 * away(1.0) < 0.7 * away(0.0)


def test_what_a_world_has_shown_already_is_not_preferred_again() -> None:
    made = FirstFrame(FirstFrameConfig(examples=8))
    made.fit(torch.stack([plain(index / 4 - 1) for index in range(8)]), flat(8), asked("meadow").expand(8, -1))
    shown = made.unshown()
    drawn = [list(made.draw(seeded_noise(5, 0), asked("meadow"), shown=shown))[-1][0] for _ in range(3)]
    assert float(shown.sum()) == pytest.approx(1 + RESTED + RESTED**2, abs=0.01)
    assert (drawn[0] - drawn[1]).abs().mean() > 0.1 and (drawn[0] - drawn[2]).abs().mean() > 0.1


def test_the_likest_examples_come_back_before_unlike_ones_take_turns_with_them() -> None:
    made = FirstFrame(FirstFrameConfig(examples=20))
    mixed = 0.4 * asked("meadow") + 0.6 * asked("desert")
    countries = [asked("meadow")] * 8 + [mixed] * 4 + [asked("desert")] * 8
    levels = torch.linspace(-1, 0, 12).tolist() + [1.0] * 8
    made.fit(torch.stack([plain(level) for level in levels]), flat(20), torch.cat(countries))
    made.mean.zero_()
    shown = made.unshown()
    drawn = [list(made.draw(seeded_noise(n, 0), asked("meadow"), shown=shown))[-1][0] for n in range(100)]
    assert sum(float(latent[0, :, :9].mean()) > 0.5 for latent in drawn[60:]) <= 2


def test_a_view_is_as_far_away_as_the_examples_that_it_is_drawn_from() -> None:
    made = FirstFrame(FirstFrameConfig(examples=2))
    near, far = (0.2 + 0.1 * torch.rand(72, 128) + level for level in (0.0, 0.5))
    made.fit(
        torch.stack([plain(1.0), plain(-1.0)]), torch.stack([near, far]), torch.cat([asked("snow"), asked("alien")])
    )
    for name, expected in (("snow", near), ("alien", far)):
        _, depth = made(seeded_noise(1, 0), asked(name))
        assert (depth[0, 0, :, 40:88] - expected[:, 40:88]).abs().mean() < 0.05


def test_fewer_examples_than_room_are_kept_over_again() -> None:
    made = FirstFrame(FirstFrameConfig(examples=5))
    made.fit(torch.stack([plain(1.0), plain(-1.0)]), flat(2), torch.cat([asked("snow"), asked("desert")]))
    kept = [float(example[0, 0, 0]) for example in made.examples]
    assert kept == pytest.approx([1.0, -1.0, 1.0, -1.0, 1.0], abs=LATENT_STEP / 2)


def test_blurring_keeps_what_is_even_to_the_very_border() -> None:
    assert torch.allclose(blurred(torch.ones(2, 18, 32), (9, 5)), torch.ones(2, 18, 32))
    point = torch.zeros(18, 32)
    point[9, 16] = 1.0
    spread = blurred(point, (3, 5))
    assert torch.allclose(spread[8:11, 14:19], torch.full((3, 5), 1 / 15)) and spread.sum() == pytest.approx(1)


def test_a_young_dream_is_left_alone_and_an_old_one_pulled_a_little(module: FirstFrame) -> None:
    prior, known = Prior(module, asked("alien")), torch.ones(18, 32)
    drifted = plain(0.75)[None] + 0.4
    assert torch.equal(prior.pull(drifted, known, 0.0, age=YOUNG, moved=1.0), drifted)
    assert torch.equal(prior.pull(drifted, known, 0.0, age=1000, moved=0.0), drifted), "nor is one at rest"
    pulled = prior.pull(drifted, known, 0.0, age=1000, moved=1.0)
    assert torch.allclose(drifted - pulled, torch.full_like(drifted, 0.4 * STRENGTH), atol=0.02)
    for _ in range(200):
        drifted = prior.pull(drifted, known, 0.0, age=1000, moved=1.0)
    assert (drifted - plain(0.75)).abs().max() < 0.05, "errors are taken back in time"


def test_the_prior_follows_the_conditions_by_steps_and_at_last_wholly(module: FirstFrame) -> None:
    begun, asked_for = asked("alien", hour=6.0), asked("alien", hour=12.0)
    prior = FollowingPrior(module, begun)
    shown = []
    for share in (0.05, 0.1, 0.5, 1.0, 1.0):
        prior.follow(begun + share * (asked_for - begun))
        shown.append(float((prior.under - begun).abs().max()))
    assert shown == pytest.approx([0, 0, 0.5, 1.0, 1.0], abs=0.01)
    reached, last = prior.under, prior.under + 0.01
    prior.follow(last)
    assert prior.under is reached
    prior.follow(last)
    assert prior.under is last, "nothing changes any more"
    drifted = plain(0.75)[None] + 0.4
    pulled = [one.pull(drifted, torch.ones(18, 32), 0.0, 1000, 1.0) for one in (prior, Prior(module, prior.under))]
    assert torch.equal(*pulled)


def test_unknown_cells_are_filled_with_what_fits_beside_them(module: FirstFrame) -> None:
    prior, known = Prior(module, asked("alien")), torch.ones(18, 32)
    known[:, 28:] = 0
    latent = plain(0.75)[None].clone()
    latent[..., 28:] = 5.0
    filled = prior.pull(latent, known, 0.0, age=GROWN, moved=1.0)
    assert torch.allclose(filled[..., :20], latent[..., :20], atol=0.01)
    expected = 5.0 + UNKNOWN * (plain(0.75)[None, ..., 28:] - 5.0)
    assert torch.allclose(filled[..., 28:], expected, atol=0.05)


def test_examples_follow_the_gaze(module: FirstFrame) -> None:
    prior, nothing = Prior(module, asked("alien")), torch.zeros(18, 32)
    blank = torch.zeros(1, 16, 18, 32)
    for pitch, horizon in ((0.0, 9), (0.3, 14), (-0.3, 4)):
        guess = prior.pull(blank, nothing, pitch, age=GROWN, moved=1.0) / UNKNOWN
        assert torch.allclose(guess[0, :, :horizon], torch.full((16, horizon, 32), 0.75), atol=0.05), "sky above"
        assert torch.allclose(guess[0, :, horizon:], torch.full((16, 18 - horizon, 32), -0.75), atol=0.05)


def test_a_drawing_keeps_to_what_is_seen() -> None:
    made = FirstFrame(FirstFrameConfig(examples=8))
    made.fit(torch.stack([plain(index / 4 - 1) for index in range(8)]), flat(8), asked("meadow").expand(8, -1))
    until = torch.zeros(18, 32)
    until[:, :16] = 0.5
    for value in (-1.0, 0.75):
        seen = plain(value)[None] + 0.1 * seeded_noise(9, 9)
        *_, (drawn, _) = made.draw(seeded_noise(5, 0), asked("meadow"), (seen, until))
        assert (drawn[0] - plain(value))[:, :, :16].abs().mean() < 0.3
    *_, (free, _) = made.draw(seeded_noise(5, 0), asked("meadow"))
    assert (drawn - free)[..., :16].abs().mean() > 0.3


def test_every_step_of_a_drawing_can_be_taken_by_itself(module: FirstFrame) -> None:
    steps = list(module.draw(seeded_noise(4, 0), asked("marsh")))
    whole = module(seeded_noise(4, 0), asked("marsh"))
    assert len(steps) == STEPS and all(torch.equal(*both) for both in zip(steps[-1], whole, strict=True))


class Paper:
    """A memory of one world at the origin, and the imagination that draws for it."""

    def __init__(self, module: FirstFrame, eager: bool = True) -> None:
        self.memory = SpatialMemory(1, 32, torch.device("cpu"))
        self.imagination = Imagination(module, lambda hint: torch.zeros(1, 16, 18, 32), eager)
        self.stored = 0

    def store(self, at: Tensor) -> None:
        one = torch.ones(1)
        self.memory.store(torch.tensor([self.stored]), torch.full((1, 4, 72, 128), 0.6), at, one, one.bool())
        self.stored += 1

    def imagine(self, at: Tensor, steps: int, motion: tuple[float, ...] = (0, 0, 0, 0, 0)) -> list[Tensor]:
        """The poses of all views finished within so many steps of an eye at a pose that is about to move so."""
        found = []
        for step in range(steps):
            last = torch.full((1, 4, 72, 128), 0.6)
            moving, noise = torch.tensor([motion]), seeded_noise(1, step)
            view = self.imagination.step(self.memory, last, at, moving, asked("meadow"), noise)
            if view:
                assert view[0].shape == (1, 16, 18, 32)
                found.append(view[2])
                self.store(view[2])
        return found


def test_imagination_draws_what_lies_aside_and_further_on_ahead_and_then_rests(module: FirstFrame) -> None:
    paper, here = Paper(module), torch.tensor([[3.0, -2.0, 0.5, math.pi / 2, 0.3]])
    paper.store(here)
    sides = paper.imagine(here, 200)
    assert [float(side[0, 3] - here[0, 3]) for side in sides] == pytest.approx([ASIDE, -ASIDE])
    assert paper.imagine(here, 50) == [], "what memory knows is not drawn again"
    further = here + torch.tensor([[10.0, 0, 0, 0, 0]])
    ahead = paper.imagine(further, 200)[0]
    assert torch.allclose(ahead, torch.tensor([[13.0 + AHEAD, -2.0, 0.5, math.pi / 2, 0.0]]), atol=1e-5)
    assert paper.imagine(further, 50) == []


@pytest.mark.parametrize("turn", [-1.0, 1.0])
def test_imagination_draws_first_where_the_eye_turns_or_goes(module: FirstFrame, turn: float) -> None:
    here = torch.zeros(1, 5)
    paper = Paper(module)
    paper.store(here)
    first, *_ = paper.imagine(here, 20, (0, 0, 0, turn, 0))
    assert float(first[0, 3]) == pytest.approx(turn * ASIDE)
    paper = Paper(module)
    first, *_ = paper.imagine(here, 20, (0, turn, 0, 0, 0))
    assert first[0, :2].tolist() == pytest.approx([turn * AHEAD, 0], abs=1e-4)


def test_without_eagerness_only_what_lies_ahead_is_drawn_and_only_on_the_way(module: FirstFrame) -> None:
    here = torch.zeros(1, 5)
    paper = Paper(module, eager=False)
    assert paper.imagine(here, 60) == [], "whoever rests sees what he saw"
    ahead, *more = paper.imagine(here, 200, (1, 0, 0, 0, 0))
    assert ahead[0, :2].tolist() == pytest.approx([0, AHEAD], abs=1e-4) and not more


def test_a_new_world_is_drawn_in_every_direction_that_is_not_known(module: FirstFrame) -> None:
    here = torch.zeros(1, 5)
    paper = Paper(module)
    paper.store(here)
    last = torch.full((1, 4, 72, 128), 0.6)

    def draw_all() -> list[float]:
        angles = []
        around = paper.imagination.around(paper.memory, last, here, asked("meadow"), lambda n: seeded_noise(2, n))
        for latent, _, pose in around:
            assert latent.shape == (1, 16, 18, 32) and bool(latent.isfinite().all())
            angles.append(float(pose[0, 3]))
            paper.store(pose)
        return angles

    assert draw_all() == pytest.approx(AROUND)
    assert draw_all() == []
