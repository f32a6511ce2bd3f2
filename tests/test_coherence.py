from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from genie_lite.actions import STEPS_PER_SECOND, Action
from genie_lite.camera import Pose
from genie_lite.conditions import Conditions, biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import Frame
from genie_lite.session.coherence import CoherenceMeter
from genie_lite.session.signals import JUDGED_EVERY, Signals

Harm = Callable[[Frame, float], Frame]
GOOD_SECONDS = 3


def measured(harm: Harm, seconds: int = 9, action: Action | None = None) -> CoherenceMeter:
    """A meter after a walk whose frames, once three seconds are over, are harmed by an amount that grows to 1."""
    meter, engine = CoherenceMeter(), FakeEngine((64, 36))
    frame = engine.reset(biome("meadow"), 5)
    for index in range(seconds * STEPS_PER_SECOND):
        amount = max(0.0, (index / STEPS_PER_SECOND - GOOD_SECONDS) / (seconds - GOOD_SECONDS))
        meter.update(harm(frame, amount))
        frame = engine.step(action or Action(forward=1))
    return meter


def unharmed(frame: Frame, amount: float) -> Frame:
    return frame


def noise(frame: Frame, amount: float) -> Frame:
    assert frame.thumbnail is not None
    thumbnail = frame.thumbnail.copy()
    thumbnail[:3] += np.random.default_rng(frame.index).normal(0, amount, thumbnail[:3].shape)
    return replace(frame, thumbnail=thumbnail.clip(-1, 1), hint=None)


def blur(frame: Frame, amount: float) -> Frame:
    assert frame.thumbnail is not None
    grey = frame.thumbnail.mean((1, 2), keepdims=True)
    return replace(frame, thumbnail=frame.thumbnail * (1 - amount) + grey * amount, hint=None)


def forgetting(frame: Frame, amount: float) -> Frame:
    assert frame.hint is not None
    other = frame.hint.copy()
    other[:3] = other[:3] * (1 - amount) - amount * other[:3]
    return replace(frame, hint=other)


def drifting(frame: Frame, amount: float) -> Frame:
    assert frame.latent is not None
    return replace(frame, latent=frame.latent * (1 + 3 * amount))


def collapsing(frame: Frame, amount: float) -> Frame:
    assert frame.latent is not None
    return replace(frame, latent=frame.latent * (1 - 0.99 * amount))


def darkening(frame: Frame, amount: float) -> Frame:
    assert frame.thumbnail is not None
    return replace(frame, thumbnail=(frame.thumbnail + 1) * (1 - amount) - 1, hint=None)


def image_only(frame: Frame) -> Frame:
    return replace(frame, thumbnail=None, hint=None, latent=None)


@pytest.mark.parametrize("action", [Action(), Action(forward=1), Action(forward=1, turn=0.5)])
def test_an_unharmed_world_keeps_its_score(action: Action) -> None:
    meter = measured(unharmed, action=action)
    assert min(meter.curve) > 0.95 and meter.half_life is None


@pytest.mark.parametrize("harm", [noise, blur, forgetting, drifting, collapsing, darkening])
def test_harm_lowers_the_score_and_gives_a_half_life(harm: Harm) -> None:
    meter = measured(harm)
    assert min(meter.curve[:GOOD_SECONDS]) > 0.9
    assert meter.score < 0.7 and meter.score == pytest.approx(meter.curve[-1])
    assert meter.half_life is not None and 1 < meter.half_life < 60


@pytest.mark.parametrize(
    ("harm", "signal", "change"),
    [
        (forgetting, "agreement_change", 1.0),
        (drifting, "latent_change", 1.0),
        (blur, "fine_change", -1.0),
        (noise, "fine_change", 1.0),
        (darkening, "brightness_change", -0.3),
    ],
)
def test_the_signal_meant_for_a_harm_is_the_one_that_changes(harm: Harm, signal: str, change: float) -> None:
    assert measured(harm).signals[signal] / change > 1
    assert abs(measured(unharmed).signals[signal] / change) < 0.7


def test_more_harm_means_a_lower_score() -> None:
    scores = [measured(lambda frame, amount, most=most: noise(frame, amount * most)).score for most in (0.0, 0.3, 1)]
    assert scores == sorted(scores, reverse=True)


def test_a_frame_of_only_an_image_is_judged_by_its_image() -> None:
    steady = measured(lambda frame, amount: image_only(frame))
    assert not {"agreement", "latent"} & steady.signals.keys() and min(steady.curve) > 0.85

    def black(frame: Frame, amount: float) -> Frame:
        return replace(image_only(frame), image=frame.image * (amount == 0))

    assert measured(black).score < 0.3


def test_a_hint_that_knows_nothing_says_nothing() -> None:
    def unknown(frame: Frame, amount: float) -> Frame:
        return replace(frame, hint=np.zeros((4, 72, 128), np.float32))

    assert "agreement" not in measured(unknown).signals


def test_an_event_is_no_loss_of_coherence() -> None:
    meter, engine = CoherenceMeter(), FakeEngine((64, 36))
    day, night = biome("meadow"), biome("meadow", hour=23.0)
    for index in range(6 * STEPS_PER_SECOND):
        frame = engine.reset(day, 5) if index < 72 else darkening(engine.reset(night, 5), 0.8)
        meter.update(frame)
    assert min(meter.curve) > 0.95


def test_half_life_is_the_time_in_which_the_curve_halves() -> None:
    meter = CoherenceMeter()
    meter.curve = [0.5 ** (second / 8) for second in range(20)]
    assert meter.half_life == pytest.approx(8, rel=0.01)
    meter.curve = [0.9, 0.4]
    assert meter.half_life is None


def test_the_summary_goes_into_a_report_and_reset_forgets() -> None:
    meter = measured(noise)
    summary = meter.summary()
    assert summary["curve"] == [round(value, 4) for value in meter.curve] and summary["half_life_s"] > 0
    assert summary["lowest"] == min(summary["curve"]) == summary["curve"][summary["worst_second"]]
    assert max(summary["curve"]) == summary["curve"][summary["best_second"]]
    meter.reset()
    assert meter.score == 1 and meter.curve == [] and meter.summary()["mean"] is None


def seen(*latents: np.ndarray) -> list[dict[str, float]]:
    """The signals of frames that have these latents."""
    signals, frame = Signals(), FakeEngine((64, 36)).reset(biome("meadow"), 5)
    frames = (replace(frame, latent=latent, index=JUDGED_EVERY * at) for at, latent in enumerate(latents))
    return [found for found in (signals.update(one, None, None) for one in frames) if found is not None]


def test_noise_is_told_from_a_busy_view_by_what_is_smooth_in_it() -> None:
    chance = np.random.default_rng(0)
    busy = 3 * chance.standard_normal((16, 18, 32)).astype(np.float32)
    busy[:, :3] = np.linspace(-1, 1, 32, dtype=np.float32)  # a sky
    noisy = np.zeros_like(busy) + 0.25 * chance.standard_normal(busy.shape).astype(np.float32)
    view, fault = seen(busy)[0], seen(noisy)[0]
    assert view["latent_rough"] > fault["latent_rough"] and view["grain"] < fault["grain"] - 0.5
    assert view["noisy"] == 0 < fault["noisy"]


def test_a_view_is_unlike_the_first_by_its_colours() -> None:
    chance = np.random.default_rng(0)
    first = chance.standard_normal((16, 18, 32)).astype(np.float32)
    blurred = np.repeat(first[:, :, ::2], 2, axis=2)
    same, other, blur = seen(first, first, -first, blurred)[1:]
    assert same["tone"] == 0 < blur["tone"] < other["tone"]


def test_how_much_is_kept_from_the_beginning_is_told_if_the_engine_can_tell() -> None:
    blank = np.zeros((144, 256, 3), np.uint8)
    for kept, expected in ((0.4, 0.4), (None, None)):
        found = Signals().update(Frame(blank, 0, Pose(), Conditions(meadow=1.0), kept=kept), None, None)
        assert found is not None and found.get("kept") == expected
