"""What coherence is measured with: metrics, held-out truth, a dream that follows a true past, and the whole command."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny import with_examples

from genie_lite.actions import IDLE, Action
from genie_lite.bench.coherence import Options, main
from genie_lite.bench.heldout import Truth, branch, record
from genie_lite.bench.measures import Dream, Plan, next_frames, opposite_keys, revisits, rollouts
from genie_lite.bench.metrics import BEST_PSNR, flow, psnr, sharpness, shift, ssim
from genie_lite.bench.report import MEASURED, summary_line
from genie_lite.bench.sheets import minute
from genie_lite.cli import COMMANDS
from genie_lite.conditions import BIOMES, Conditions, biome
from genie_lite.data.collect import SPLIT_SEEDS
from genie_lite.engine.dream import DreamEngine, EngineOptions
from genie_lite.engine.protocol import Frame
from genie_lite.errors import CheckpointError, RenderError, UsageError
from genie_lite.model.autoencoder import AutoencoderConfig
from genie_lite.model.checkpoint import PARTS, Model, ModelConfig, load_model, save_part
from genie_lite.model.first_frame import FirstFrameConfig
from genie_lite.model.layers import to_unit
from genie_lite.model.memory import SpatialMemory, clamp_thumbnail
from genie_lite.model.motion import MotionConfig
from genie_lite.model.unet import UNetConfig
from genie_lite.worlds import make_world

TINY_UNET = UNetConfig(channels=(32, 32, 32), embedding=16)
TINY = ModelConfig(AutoencoderConfig(16, 16, 16, 16, 1, 16), MotionConfig(16, 16), TINY_UNET, FirstFrameConfig(8))
TINY_PLAN = Plan(
    episodes=2, history=8, horizon=24, next_frames=2, pictures=1, key_steps=2, minute=8, minute_worlds=1,
    minute_worlds_no_memory=1, revisit_worlds=1, revisit_worlds_no_memory=0, trips=(4,),
)  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of random weights whose dynamics and first frame draw something."""
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    model = with_examples(Model.new(TINY))
    torch.nn.init.normal_(model.dynamics.unet.out.weight, std=0.05)
    last = model.autoencoder.thumbnail.out.bias
    assert last is not None
    last.data[-16:] = 0.5  # everything is some ten metres away
    for name in PARTS:
        save_part(folder, model, name)
    return folder


def engine(checkpoint: Path, memory: bool = True) -> DreamEngine:
    options = EngineOptions(checkpoint, quality="144p", memory=memory, runtime="eager", dtype="fp32", threads=1)
    return DreamEngine.load(options)


def country(seed: int = 0, height: int = 144, width: int = 256) -> NDArray[np.uint8]:
    """Blocks of random colours."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return blocks.repeat(8, 0).repeat(8, 1)


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
    blurred = picture.reshape(36, 4, 64, 4, 3).mean((1, 3)).repeat(4, 0).repeat(4, 1)
    blurred = (blurred + np.roll(blurred, 8, 0) + np.roll(blurred, 8, 1)).astype(np.float32) / 3
    assert sharpness(np.full_like(picture, 7)) == 0
    assert sharpness(picture) > 1.3 * sharpness(blurred.astype(np.uint8))


@pytest.mark.parametrize(("right", "down"), [(8, 0), (-8, 0), (0, 5), (0, -5), (-3, 4), (0, 0)])
def test_shift_finds_which_way_a_picture_moved(right: int, down: int) -> None:
    large = country(3, 176, 288)
    before = large[16:160, 16:272]
    after = large[16 - down : 160 - down, 16 - right : 272 - right]
    assert shift(before, noisy(after, 10)) == (right, down)
    assert flow(np.stack([before, after, before])) == (0, 0)


def test_held_out_worlds_have_test_seeds_and_take_every_biome_in_turn() -> None:
    world = make_world("counting")
    truths = [record(world, number, 3, instants=[1]) for number in range(8)]
    assert [truth.seed for truth in truths] == list(range(SPLIT_SEEDS["test"], SPLIT_SEEDS["test"] + 8))
    assert [BIOMES[int(np.argmax(truth.start.biomes))] for truth in truths] == list(BIOMES)
    assert truths[0].frames.shape == (3, 144, 256, 3) and truths[0].pictures[1].shape == (720, 1280, 3)
    assert np.array_equal(truths[0].pictures[1][0, 0], truths[0].frames[1][0, 0])


def test_a_branch_leaves_the_true_path_at_its_frame() -> None:
    world = make_world("counting")
    truth = record(world, 0, 12)
    same = branch(world, truth, 4, truth.actions[4:8])
    assert np.array_equal(same, truth.frames[4:9])


def past(frames: int, step: float = 0.4) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A walk north, `step` metres a frame, past different pictures."""
    poses = np.zeros((frames, 5))
    poses[:, 1] = np.arange(frames) * step
    return np.stack([country(seed) for seed in range(frames)]), poses


def test_follow_puts_the_truth_in_place(checkpoint: Path) -> None:
    dream = engine(checkpoint)
    frames, poses = past(12)
    last = dream.follow(frames, poses, biome("snow"), seed=5)
    assert (last.index, last.pose.y, last.conditions) == (11, poses[-1, 1], biome("snow"))
    started = dream.reset(frames[-1], seed=5)
    assert np.array_equal(last.image, started.image), "the last true frame as the decoder draws it"


def test_memory_after_follow_shows_the_true_past(checkpoint: Path) -> None:
    dream, model = engine(checkpoint), load_model(checkpoint)
    frames, poses = past(12)
    dream.follow(frames, poses, biome("snow"), 5)
    frame = dream.step(IDLE)
    path = torch.from_numpy(poses)
    with torch.inference_mode():
        latents = model.autoencoder.encode(to_unit(torch.from_numpy(frames).permute(0, 3, 1, 2)))
        thumbnails = clamp_thumbnail(model.autoencoder.thumbnail(latents, path[:, 4:5].float()))
        memory = SpatialMemory(1, 256, torch.device("cpu"))
        for slot, index in enumerate((0, 3, 6, 9)):  # a metre apart at least, as in play
            memory.store(torch.tensor([slot]), thumbnails[[index]], path[[index]], torch.ones(1), torch.tensor([True]))
        target = torch.from_numpy(frame.pose.to_array())[None]
        expected = memory.hint(thumbnails[[11]], path[[11]], target)[0, 4:].numpy()
    assert frame.hint is not None and frame.hint[3].mean() > 0.1
    np.testing.assert_allclose(frame.hint, expected, atol=1e-4)


def test_follow_leads_to_the_same_dream_twice_and_carries_the_motion_on(checkpoint: Path) -> None:
    one, other = engine(checkpoint), engine(checkpoint)
    frames, poses = past(6)
    for dream in (one, other):
        dream.follow(frames, poses, biome("desert"), 7)
    first, second = ([d.step(Action(forward=1.0)).image for _ in range(3)] for d in (one, other))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    one.follow(frames, poses, biome("desert"), 7)
    other.follow(frames, np.repeat(poses[-1:], len(poses), 0), biome("desert"), 7)
    moved = [dream.step(Action(forward=1.0)).pose.y for dream in (one, other)]
    assert moved[0] != moved[1], "the last true motions are an input of the next"


class Oracle:
    """An engine that is the simulator: every measurement must find it perfect."""

    def __init__(self, world: Any, truth: Truth) -> None:
        self.world, self.truth = world, truth

    def follow(self, frames: NDArray[np.uint8], poses: NDArray[np.float64], conditions: Conditions, seed: int) -> Frame:
        at = int(np.flatnonzero((self.truth.poses == poses[-1]).all(1))[0])
        image, info = self.world.reset(seed=seed, options={"conditions": self.truth.start})
        for action in self.truth.actions[:at]:
            image, *_, info = self.world.step(action.to_array())
        assert np.array_equal(image, frames[-1])
        return Frame(image, at, info["pose"], conditions)

    def step(self, action: Action) -> Frame:
        image, *_, info = self.world.step(action.to_array())
        return Frame(image, 0, info["pose"], info["conditions"])


def untracked(items: Sequence[Any], _name: str) -> Sequence[Any]:
    return items


def test_a_perfect_dream_measures_as_perfect() -> None:
    world = make_world("counting")
    truth = record(world, 1, 32)
    dream = Dream(Oracle(world, truth), "")
    found = rollouts(dream, [truth], TINY_PLAN, 1, untracked)
    assert (found.curves == BEST_PSNR).all() and (found.strayed == 0).all() and (found.repeated < BEST_PSNR).all()
    assert np.array_equal(found.films[0], truth.frames[8:])
    assert next_frames(dream, [truth], TINY_PLAN, untracked) == {"next_frame_psnr": [BEST_PSNR]}


def test_in_the_landscape_every_key_of_the_simulator_is_found_right() -> None:
    try:
        world = make_world("landscape")
    except RenderError as error:
        pytest.skip(f"no OpenGL: {error}")
    truth = record(world, 2, 9)
    plan = replace(TINY_PLAN, key_steps=6)
    dream = Dream(Oracle(world, truth), "")
    found = opposite_keys(dream, world, [truth], plan, untracked)
    back = revisits(dream, [truth], replace(plan, trips=(5,)), untracked)
    world.close()
    assert found == {"turn": [True] * 2, "look": [True] * 2, "strafe": [True] * 2, "forward": [True] * 2}
    # Clouds drift meanwhile; on the way nothing bars the path, so that the trip ends where it began.
    assert back["full_turn_psnr"][0] > 25 and back["there_and_back_psnr_5s"][0] > 25


def test_a_sheet_shows_every_biome_at_every_moment(checkpoint: Path) -> None:
    sheet = minute(engine(checkpoint), walking=True, seconds=(0, 1))
    assert sheet.width > 2 * 256 and sheet.height > 8 * 144
    first = np.asarray(sheet)[:, 84 : 84 + 256]
    assert len({first[24 + 148 * row :][:144].tobytes() for row in range(8)}) == 8


def test_without_memory_nothing_is_remembered(checkpoint: Path) -> None:
    dream = engine(checkpoint, memory=False)
    dream.follow(*past(6), biome("desert"), 7)
    assert dream.step(IDLE).hint is None


def test_the_whole_command_ends_in_one_line_of_json(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options("counting", checkpoint, runtime="eager", dtype="fp32", threads=1, out=tmp_path)
    assert main(options, TINY_PLAN) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["bench"] == "coherence" and line["world"] == "counting" and line["episodes"] == 2
    assert set(MEASURED) <= line.keys() and line["checkpoint"]
    measured = ("autoencoder_psnr", "next_frame_psnr", "psnr_1s", "idle_psnr_60s", "sharpness_ratio_60s")
    for name in measured:
        assert math.isfinite(line[name]), name
    assert line["next_frame_psnr_no_memory"] is not None and line["psnr_1s_repeated"] is not None
    assert line["psnr_3s"] is None and line["half_life_s"] is None, "not measured is null, not a guess"
    assert 0 <= line["opposite_key_accuracy"] <= 1
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".json", ".mp4"}


def test_the_line_counts_every_key_press() -> None:
    keys = {"turn": [True, True, True, False], "forward": []}
    line = summary_line("landscape", 4, {"psnr_1s": [20.0, 21.0]}, keys, "abc")
    assert line["opposite_key_accuracy"] == 0.75 and line["psnr_1s"] == 20.5
    assert line["opposite_key_by_key"] == {"turn": 0.75, "forward": None}


def test_bad_wishes_are_refused(tmp_path: Path) -> None:
    assert {"bench coherence", "bench sheets"} <= COMMANDS.keys()
    with pytest.raises(UsageError, match="--episodes 0"):
        Options(episodes=0)
    with pytest.raises(CheckpointError):
        main(Options(checkpoint=tmp_path / "nothing", out=tmp_path))
    assert Options(quick=True).plan().episodes == 8 and Options().plan().episodes == 16
    assert Options(quick=True, episodes=3).plan().episodes == 3
