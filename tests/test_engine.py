"""The dream engine on a tiny network with random weights: its contract, not its beauty."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import saved, shaken, tiny_model

from genie_lite.actions import IDLE, Action
from genie_lite.camera import Pose, log_depth
from genie_lite.conditions import biome
from genie_lite.engine.album import SLOTS, TURNING
from genie_lite.engine.dream import DreamEngine, EngineOptions
from genie_lite.engine.protocol import Frame
from genie_lite.errors import CheckpointError, ImageError, UsageError
from genie_lite.model.autoencoder import PICTURE_SIZES
from genie_lite.model.checkpoint import load_model
from genie_lite.model.first_frame import STEPS
from genie_lite.model.imagination import AHEAD, AROUND
from genie_lite.model.recall import Recall

WALK = [Action(forward=1, turn=0.3), Action(strafe=-1), IDLE, Action(turn=-1, look=0.5), Action(forward=1, run=True)]
needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("checkpoint") / "tiny", shaken(tiny_model()))


MakeEngine = Callable[..., DreamEngine]


@pytest.fixture(scope="module")
def make(checkpoint: Path) -> MakeEngine:
    """Engines on one thread, eager, float32 and small unless told otherwise."""
    usual = EngineOptions(checkpoint, quality="144p", runtime="eager", dtype="fp32", threads=1)
    return lambda **others: DreamEngine.load(replace(usual, **others))


def walk(engine: DreamEngine, steps: int = len(WALK), seed: int = 3) -> list[Frame]:
    frames = [engine.reset(biome("meadow"), seed)]
    return frames + [engine.step(WALK[i % len(WALK)]) for i in range(steps)]


def same(one: Frame, other: Frame) -> bool:
    return (
        np.array_equal(one.image, other.image)
        and np.array_equal(one.latent, other.latent)
        and np.array_equal(one.thumbnail, other.thumbnail)
        and one.pose == other.pose
    )


# --- contract ---------------------------------------------------------------------------------------------------


def test_the_first_frame_is_frame_0_at_the_origin_and_steps_count_on(make: MakeEngine) -> None:
    frames = walk(make())
    assert [frame.index for frame in frames] == list(range(len(WALK) + 1))
    assert frames[0].pose == Pose() and frames[0].hint is None
    for frame in frames:
        assert frame.image.shape == (144, 256, 3) and frame.image.dtype == np.uint8
        assert frame.latent is not None and frame.latent.shape == (16, 18, 32) and frame.latent.dtype == np.float32
        assert frame.thumbnail is not None and frame.thumbnail.shape == (4, 72, 128)
        assert np.abs(frame.thumbnail[:3]).max() <= 1 and 0 <= frame.thumbnail[3].min() <= frame.thumbnail[3].max() <= 1
        assert frame.conditions == biome("meadow")
    for frame in frames[1:]:
        assert frame.timings.keys() == {"motion", "imagination", "memory", "dynamics", "decode"}
        assert frame.hint is not None and frame.hint.shape == (4, 72, 128)
        assert set(np.unique(frame.hint[3])) <= {0.0, 1.0}


def test_stepping_before_reset_is_refused(make: MakeEngine) -> None:
    with pytest.raises(RuntimeError, match="reset"):
        make().step(IDLE)


def test_frames_stay_as_they_were_when_the_dream_goes_on(make: MakeEngine) -> None:
    engine = make()
    first = walk(engine)[-1]
    kept = [np.copy(array) for array in (first.image, first.latent, first.thumbnail, first.hint)]
    walk(engine)
    for array, copy in zip((first.image, first.latent, first.thumbnail, first.hint), kept, strict=True):
        assert np.array_equal(array, copy)


def test_turning_is_exact_whatever_the_network_thinks(make: MakeEngine) -> None:
    engine = make()
    engine.reset(biome("snow"), 0)
    expected = Pose()
    for action in WALK:
        expected = expected.rotated(action)
        pose = engine.step(action).pose
        assert (pose.yaw, pose.pitch) == pytest.approx((expected.yaw, expected.pitch), abs=1e-6)


# --- determinism ------------------------------------------------------------------------------------------------


def test_who_stands_still_stays_where_he_is(make: MakeEngine) -> None:
    engine = make()
    engine.reset(biome("meadow"), 0)
    assert engine.step(IDLE).pose.to_array()[:3].tolist() == [0, 0, 0]
    assert engine.step(Action(turn=1.0)).pose.y == 0 and engine.step(Action(forward=0.1)).pose.y > 0


def test_two_engines_dream_the_same(make: MakeEngine) -> None:
    one, other = make(), make()
    frames = walk(one)
    torch.manual_seed(99)
    assert all(same(a, b) for a, b in zip(frames, walk(other), strict=True))
    assert all(same(a, b) for a, b in zip(frames, walk(one), strict=True)), "reset forgets the episode before"


@needs_openvino
def test_openvino_dreams_the_same_each_time_and_what_eager_dreams(make: MakeEngine) -> None:
    engine = make(runtime="openvino")
    frames = walk(engine)
    assert all(same(a, b) for a, b in zip(frames, walk(engine), strict=True))
    for a, b in zip(walk(make()), frames, strict=True):
        assert a.latent is not None and b.latent is not None
        np.testing.assert_allclose(a.latent, b.latent, atol=2e-3)
        assert np.abs(a.image.astype(int) - b.image).max() <= 2
        np.testing.assert_allclose(a.pose.to_array(), b.pose.to_array(), atol=1e-4)


def test_warming_up_changes_nothing(make: MakeEngine) -> None:
    cold, warm = make(), make()
    warm.warm_up()
    assert same(walk(cold)[-1], walk(warm)[-1])


def test_seed_and_actions_matter(make: MakeEngine) -> None:
    engine = make()
    frames = walk(engine)
    assert not np.array_equal(frames[0].image, walk(engine, 0, seed=4)[0].image)
    engine.reset(biome("meadow"), 3)
    assert not np.array_equal(frames[1].latent, engine.step(Action(forward=-1)).latent)


# --- pictures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", PICTURE_SIZES)
def test_each_quality_has_its_size_and_is_laid_out_as_the_head_draws_it(
    make: MakeEngine, checkpoint: Path, quality: str
) -> None:
    engine = make(quality=quality)
    frame = walk(engine, 2)[-1]
    width, height = PICTURE_SIZES[quality]
    assert engine.info.size == (width, height) and frame.image.shape == (height, width, 3)
    with torch.inference_mode():
        drawn = load_model(checkpoint).autoencoder.decode(torch.from_numpy(frame.latent)[None], quality)[0]
    expected = ((drawn.clamp(-1, 1) + 1) * 127.5).permute(1, 2, 0).numpy()
    assert np.abs(expected - frame.image).max() < 0.6


def test_quality_auto_settles_on_one_of_the_sizes_and_stays(make: MakeEngine) -> None:
    engine = make(quality="auto")
    engine.warm_up()
    size = engine.info.size
    assert size in PICTURE_SIZES.values()
    assert walk(engine, 2)[-1].image.shape == (size[1], size[0], 3)
    engine.warm_up()
    assert engine.info.size == size


@pytest.mark.parametrize(
    ("milliseconds", "chosen"),
    [((30, 20, 15), "720p"), ((50, 30, 15), "360p"), ((50, 40, 30), "144p"), ((80, 50, 60), "360p")],
)
def test_quality_auto_takes_the_largest_that_leaves_time_or_else_the_fastest(
    make: MakeEngine, monkeypatch: pytest.MonkeyPatch, milliseconds: tuple[float, ...], chosen: str
) -> None:
    engine = make(quality="auto")
    costs = dict(zip(PICTURE_SIZES.values(), milliseconds, strict=True))
    step = engine.step
    monkeypatch.setattr(
        engine, "step", lambda action: replace(step(action), timings={"decode": costs[engine.info.size]})
    )
    engine.warm_up()
    assert engine.info.size == PICTURE_SIZES[chosen]


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("shape", [(144, 256), (1080, 1920), (64, 500), (700, 70), (1, 1)])
def test_a_start_frame_may_have_any_size(make: MakeEngine, shape: tuple[int, int], dtype: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    engine = make(dtype=dtype)
    first = engine.reset(image, 0)
    assert first.index == 0 and first.image.shape == (144, 256, 3)
    assert sum(first.conditions.biomes) == pytest.approx(1)
    assert engine.step(WALK[0]).index == 1


def test_a_start_frame_is_seen(make: MakeEngine) -> None:
    engine = make()
    dark, bright = (engine.reset(np.full((144, 256, 3), value, np.uint8), 0).latent for value in (10, 250))
    assert not np.allclose(dark, bright)
    # Only the middle counts: what lies beyond 16:9 is cut away.
    wide = np.full((144, 512, 3), 10, np.uint8)
    wide[:, :128] = wide[:, 384:] = 250
    np.testing.assert_allclose(engine.reset(wide, 0).latent, dark, atol=1e-5)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((144, 256), np.uint8),
        np.zeros((144, 256, 4), np.uint8),
        np.zeros((144, 256, 3), np.float32),
        np.zeros((0, 256, 3), np.uint8),
    ],
    ids=["grey", "with alpha", "floats", "empty"],
)
def test_a_bad_start_frame_is_one_line(make: MakeEngine, image: np.ndarray) -> None:
    with pytest.raises(ImageError, match="start frame") as caught:
        make().reset(image, 0)
    assert "\n" not in str(caught.value)


# --- memory and conditions --------------------------------------------------------------------------------------


def test_memory_off_gives_no_hint_and_another_dream(make: MakeEngine) -> None:
    engine = make(memory=False)
    without = walk(engine)
    assert not engine.info.memory and all(frame.hint is None for frame in without)
    assert not np.array_equal(without[-1].latent, walk(make())[-1].latent)


def moves(engine: DreamEngine, steps: float) -> None:
    """Makes every step of this dream lead so many walking steps ahead."""
    engine._odometry._motion = lambda action, past: torch.tensor([[steps, 0.0, 0.0]])


def test_standing_still_the_hint_shows_what_was_just_drawn(make: MakeEngine) -> None:
    engine = make()
    first = engine.reset(biome("meadow"), 0)
    moves(engine, 0.0)
    hint = engine.step(IDLE).hint
    assert hint is not None and first.thumbnail is not None
    away = first.thumbnail[3] > 0.01
    picture = Recall(engine._model.autoencoder).picture(torch.from_numpy(first.latent)[None])
    agree = np.abs(hint[:3] - torch.nn.functional.avg_pool2d(picture, 2)[0].numpy()).max(0) < 0.02
    assert away.any() and hint[3][away].mean() > 0.95 and agree[away].mean() > 0.9


def test_an_eye_at_rest_sees_almost_what_it_saw(make: MakeEngine) -> None:
    def change(motion: float) -> float:
        engine = make(memory=False)
        engine.reset(biome("meadow"), 0)
        moves(engine, motion)
        before = engine.step(Action(forward=1)).latent
        return float(np.abs(engine.step(Action(forward=1)).latent - before).mean())

    assert 0 < change(0.0) < 0.2 * change(0.3)


def test_what_the_eye_may_see_next_is_imagined_and_remembered(make: MakeEngine) -> None:
    engine = make()
    engine.reset(biome("meadow"), 0)
    memory = engine._album.memory

    def known() -> list[tuple[float, float]]:
        return [(round(float(pose[1])), round(float(pose[3]), 2)) for pose in memory.poses[memory.worth > 0]]

    assert sorted(known()) == sorted([(0, 0.0), *((0, round(angle, 2)) for angle in AROUND)])
    # Two metres a step, and then none.
    moves(engine, 12.0)
    way = [engine.step(Action(forward=1)).pose.y for _ in range(5)]
    moves(engine, 0.0)
    for _ in range(4 * (STEPS + 2)):
        engine.step(IDLE)
    ahead = {view for view in known() if view[0] > way[-1]}
    assert ahead and ahead <= {(round(y + AHEAD), 0.0) for y in [0.0, *way]}
    views = memory.views[memory.worth > 0]
    assert len(views.flatten(1).unique(dim=0)) == len(views)


def test_memory_keeps_its_size_over_hundreds_of_views(make: MakeEngine) -> None:
    engine = make()
    engine.reset(biome("meadow"), 0)
    # Two metres a step: every frame shows something new.
    moves(engine, 12.0)
    views = engine._album.memory.views
    for _ in range(SLOTS + 50):
        frame = engine.step(Action(forward=1))
    assert engine._album.memory.views is views and views.shape[1] == SLOTS
    assert bool((engine._album.memory.worth > 0).all())
    assert np.isfinite(frame.latent).all() and frame.pose.y > 500


def test_conditions_can_change_on_the_way(make: MakeEngine) -> None:
    engine = make()
    calm = walk(engine)
    engine.reset(biome("meadow"), 3)
    engine.step(WALK[0])
    engine.set_conditions(biome("volcanic", hour=23.0, fog=0.9))
    changed = engine.step(WALK[1])
    assert changed.conditions == biome("volcanic", hour=23.0, fog=0.9)
    assert not np.array_equal(changed.latent, calm[2].latent)
    assert walk(engine)[1].conditions == biome("meadow")


def test_another_land_leaves_what_is_remembered_unless_it_comes_everywhere(make: MakeEngine) -> None:
    engine = make()
    engine.reset(biome("meadow"), 3)
    for _ in range(4):
        engine.step(Action(forward=1))
    seen = int((engine._album.memory.worth > 0).sum())
    engine.set_conditions(biome("snow"))
    engine.step(IDLE)
    assert int((engine._album.memory.worth > 0).sum()) >= seen > 0
    engine.set_conditions(biome("snow"), everywhere=True)
    assert not (engine._album.memory.worth > 0).any()
    for _ in range(TURNING - 1):
        engine.step(IDLE)
    worth = engine._album.memory.worth[engine._album.memory.worth > 0]
    assert worth.tolist() == [pytest.approx(0.75)], "the view as it shall be, and nothing else"


def test_a_world_begins_as_deep_as_the_examples_it_is_drawn_from(make: MakeEngine) -> None:
    thumbnail = make().reset(biome("snow"), 1).thumbnail
    assert thumbnail is not None
    np.testing.assert_allclose(thumbnail[3], 0.6, atol=0.01)


def test_what_memory_shows_bars_the_way(make: MakeEngine) -> None:
    model, walked = shaken(tiny_model()), {}
    asked = torch.stack([torch.from_numpy(biome("snow").to_array())] * 4)
    three_metres = log_depth(np.full((len(asked), 72, 128), 3.0, np.float32))
    model.first_frame.fit(torch.randn(len(asked), 16, 18, 32), torch.from_numpy(three_metres), asked)
    for memory in (True, False):
        engine = DreamEngine(model, replace(make()._options, memory=memory))
        engine.reset(biome("snow"), 1)
        moves(engine, 1.0)
        walked[memory] = [engine.step(Action(forward=1)).pose.y for _ in range(24)][-1]
    assert 1.5 < walked[True] < 2.6 < 4 < walked[False]


def test_a_sketch_ends_with_the_first_frame_and_leaves_play_alone(make: MakeEngine) -> None:
    engine = make(quality="360p")
    engine.reset(biome("meadow"), 3)
    expected = engine.step(WALK[0]).image
    engine.reset(biome("meadow"), 3)
    drawn = list(engine.sketch(biome("snow"), 8))
    np.testing.assert_array_equal(engine.step(WALK[0]).image, expected)
    np.testing.assert_array_equal(drawn[-1], engine.reset(biome("snow"), 8).image)
    assert len(drawn) > 8 and drawn[0].shape == (144, 256, 3) and drawn[-1].shape == (360, 640, 3)
    photo = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    np.testing.assert_array_equal(list(engine.sketch(photo, 0))[-1], engine.reset(photo, 0).image)


def test_a_look_at_a_picture_reads_what_a_world_from_it_begins_with(make: MakeEngine) -> None:
    engine = make()
    photo = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    assert engine.look(photo).conditions == engine.reset(photo, 0).conditions
    with pytest.raises(ImageError):
        engine.look(photo[..., 0])


@pytest.mark.parametrize("runtime", ["eager", pytest.param("openvino", marks=needs_openvino)])
def test_a_look_may_come_first_of_all(make: MakeEngine, runtime: str) -> None:
    assert make(runtime=runtime).look(np.zeros((90, 160, 3), np.uint8)).psnr > 0


def test_conditions_choose_the_first_frame(make: MakeEngine) -> None:
    engine = make()
    noon, night = engine.reset(biome("snow"), 0), engine.reset(biome("snow", hour=0.0), 0)
    assert not np.array_equal(noon.latent, night.latent)


# --- options ----------------------------------------------------------------------------------------------------


def test_info_tells_what_draws(make: MakeEngine, checkpoint: Path) -> None:
    info = make(denoising_steps=2, guidance=3.0).info
    assert info.guidance == 3
    assert (info.name, info.checkpoint, info.checkpoint_hash) == ("dream", "tiny", load_model(checkpoint).hash)
    assert (info.runtime, info.dtype, info.memory, info.denoising_steps) == ("eager", "float32", True, 2)


@pytest.mark.parametrize(
    "wrong", [{"quality": "4k"}, {"runtime": "abacus"}, {"dtype": "int4"}], ids=lambda wrong: next(iter(wrong))
)
def test_an_unknown_option_is_wrong_usage_and_names_the_choices(make: MakeEngine, wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="choose one of") as caught:
        make(**wrong)
    assert next(iter(wrong.values())) in str(caught.value)


@pytest.mark.parametrize("guidance", [-1.0, 21.0, math.nan])
def test_guidance_has_bounds(make: MakeEngine, guidance: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 20"):
        make(guidance=guidance)


def test_a_missing_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        DreamEngine.load(EngineOptions(tmp_path / "nowhere"))
