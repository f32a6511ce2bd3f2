"""What coherence is measured with: a dream that follows a true past, rollouts and revisits, and the whole command."""

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
from pictures import country
from tiny import saved, with_examples

from genie_lite.actions import IDLE, Action
from genie_lite.bench.coherence import Options, main
from genie_lite.bench.control import accuracy, opposite_keys, read_back
from genie_lite.bench.drift import conditions_agree, drift, sharpness_ratio
from genie_lite.bench.frechet import FEWEST, between, frechet
from genie_lite.bench.heldout import Truth, record
from genie_lite.bench.metrics import BEST_PSNR
from genie_lite.bench.plan import QUICK, Plan
from genie_lite.bench.pool import Job, measure_worlds
from genie_lite.bench.report import MEASURED
from genie_lite.bench.revisits import backwards, idle, mirror_walk, mirrored_out, returns, turning
from genie_lite.bench.rollouts import Curve, half_life, instants, next_frames, score_by_second, walk
from genie_lite.bench.sheets import minute
from genie_lite.bench.subject import Dream
from genie_lite.camera import Pose
from genie_lite.cli import COMMANDS
from genie_lite.conditions import Conditions, biome
from genie_lite.engine.dream import DreamEngine, EngineOptions
from genie_lite.engine.protocol import Frame
from genie_lite.errors import CheckpointError, RenderError, UsageError
from genie_lite.model.autoencoder import AutoencoderConfig
from genie_lite.model.checkpoint import Model, ModelConfig, load_model
from genie_lite.model.first_frame import FirstFrameConfig
from genie_lite.model.judge import KEYS, Judge, JudgeNet, save_judge
from genie_lite.model.layers import to_unit
from genie_lite.model.memory import SpatialMemory, clamp_thumbnail
from genie_lite.model.unet import UNetConfig
from genie_lite.worlds import make_world

TINY_UNET = UNetConfig(channels=(32, 32, 32), embedding=16)
TINY = ModelConfig(AutoencoderConfig(16, 1, 16, 2, 16, 16, 1, 16, 1, 16), TINY_UNET, FirstFrameConfig(8))
TINY_PLAN = Plan(
    episodes=2, history=8, horizon=24, horizon_no_memory=24, every=6, next_frames=2, pictures=1, keys_worlds=1,
    key_steps=2, mirror=4, trips=((4, 1),), idle_worlds=1, minute=8,
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
    saved(folder, model)
    save_judge(folder, random_judge())
    return folder


def random_judge() -> Judge:
    return Judge(JudgeNet().eval().requires_grad_(False), {})


def engine(checkpoint: Path, memory: bool = True) -> DreamEngine:
    options = EngineOptions(checkpoint, quality="144p", memory=memory, runtime="eager", dtype="fp32", threads=1)
    return DreamEngine.load(options)


def past(frames: int, step: float = 0.4) -> tuple[NDArray[np.uint8], NDArray[np.float64], list[Action]]:
    """A walk north, `step` metres a frame, past different pictures."""
    poses = np.zeros((frames, 5))
    poses[:, 1] = np.arange(frames) * step
    return np.stack([country(seed) for seed in range(frames)]), poses, [Action(forward=1.0, run=True)] * (frames - 1)


def test_follow_puts_the_truth_in_place(checkpoint: Path) -> None:
    dream = engine(checkpoint)
    frames, poses, actions = past(12)
    last = dream.follow(frames, poses, actions, biome("snow"), seed=5)
    assert (last.index, last.pose.y, last.conditions) == (11, poses[-1, 1], biome("snow"))
    started = dream.reset(frames[-1], seed=5)
    assert np.array_equal(last.image, started.image), "the last true frame as the decoder draws it"


def test_memory_after_follow_shows_the_true_past(checkpoint: Path) -> None:
    dream, model = engine(checkpoint), load_model(checkpoint)
    frames, poses, actions = past(12)
    dream.follow(frames, poses, actions, biome("snow"), 5)
    frame = dream.step(IDLE)
    path = torch.from_numpy(poses)
    with torch.inference_mode():
        latents = model.autoencoder.encode(to_unit(torch.from_numpy(frames).permute(0, 3, 1, 2)))
        thumbnails = clamp_thumbnail(model.autoencoder.thumbnail(latents, path[:, 4:5].float()))
        memory = SpatialMemory(1, 256, torch.device("cpu"))
        for slot, index in enumerate((0, 3, 6, 9, 11)):  # a metre apart at least, as in play, and the last
            memory.store(torch.tensor([slot]), thumbnails[[index]], path[[index]], torch.ones(1), torch.tensor([True]))
        target = torch.from_numpy(frame.pose.to_array())[None]
        expected = memory.hint(thumbnails[[11]], path[[11]], target)[0, 4:].numpy()
    assert frame.hint is not None and frame.hint[3].mean() > 0.1
    # Play renders whole pictures, of which these thumbnails are the coarse likeness.
    np.testing.assert_array_equal(frame.hint[3], expected[3])


def test_follow_leads_to_the_same_dream_twice_and_carries_the_motion_on(checkpoint: Path) -> None:
    one, other = engine(checkpoint), engine(checkpoint)
    frames, poses, actions = past(6)
    poses[:, 2] = poses[:, 1] / 2
    for dream in (one, other):
        dream.follow(frames, poses, actions, biome("desert"), 7)
    first, second = ([d.step(Action(forward=1.0)).image for _ in range(3)] for d in (one, other))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    one.follow(frames, poses, actions, biome("desert"), 7)
    other.follow(frames, np.repeat(poses[-1:], len(poses), 0), actions, biome("desert"), 7)
    rising, level = (dream.step(Action(forward=1.0)).pose.z - poses[-1, 2] for dream in (one, other))
    assert rising > level + 0.02, "a slope goes on as it has begun"


class Oracle:
    """An engine that is the simulator: every measurement must find it perfect."""

    def __init__(self, world: Any, truth: Truth) -> None:
        self.world, self.truth = world, truth

    def follow(
        self,
        frames: NDArray[np.uint8],
        poses: NDArray[np.float64],
        actions: Sequence[Action],
        conditions: Conditions,
        seed: int,
    ) -> Frame:
        at = int(np.flatnonzero((self.truth.poses == poses[-1]).all(1))[0])
        image, info = self.world.reset(seed=seed, options={"conditions": self.truth.start})
        assert tuple(actions) == self.truth.actions[:at]
        for action in actions:
            image, *_, info = self.world.step(action.to_array())
        assert np.array_equal(image, frames[-1])
        return Frame(image, at, info["pose"], conditions)

    def reset(self, start: Conditions, seed: int) -> Frame:
        image, info = self.world.reset(seed=seed, options={"conditions": start})
        return Frame(image, 0, info["pose"], start)

    def step(self, action: Action) -> Frame:
        image, *_, info = self.world.step(action.to_array())
        return Frame(image, 0, info["pose"], info["conditions"])


def untold(_frames: int) -> None:
    """Nobody watches the progress."""


def test_a_perfect_dream_measures_as_perfect() -> None:
    world, judge = make_world("counting"), random_judge()
    truth = record(world, 1, 32)
    dream = Dream(Oracle(world, truth), "")
    walked = walk(dream, truth, TINY_PLAN, 24, untold)
    curve = walked.curve(judge, truth, TINY_PLAN)
    assert np.array_equal(walked.film, truth.frames[8:]) and (walked.strayed == 0).all()
    assert curve.seconds.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert (curve.values["psnr"] == BEST_PSNR).all() and curve.at(24)["ssim"] == pytest.approx(1)
    np.testing.assert_allclose(curve.values["distance"], 0, atol=1e-6)
    assert curve.at(23) == {}, "not judged there"
    forced = next_frames(dream, judge, truth, TINY_PLAN, untold)
    assert (forced.values["psnr"] == BEST_PSNR).all() and forced.seconds[-1] == 1.0


def test_in_the_landscape_every_key_of_the_simulator_is_found_right() -> None:
    try:
        world = make_world("landscape")
    except RenderError as error:
        pytest.skip(f"no OpenGL: {error}")
    truth, judge = record(world, 2, 33), random_judge()
    plan = replace(TINY_PLAN, key_steps=6, mirror=24, trips=((5, 1),))
    dream = Dream(Oracle(world, truth), "")
    found = opposite_keys(dream, world, truth, plan, untold)
    back = returns(dream, judge, truth, 0, plan, untold)
    mirror = mirror_walk(dream, world, judge, truth, plan, untold)
    turn = turning(dream, world, truth, untold)
    world.close()
    assert found == {"turn": [True] * 2, "look": [True] * 2, "strafe": [True] * 2, "forward": [True] * 2}
    assert accuracy(found) == (1.0, {"turn": 1.0, "look": 1.0, "strafe": 1.0, "forward": 1.0})
    # Clouds drift meanwhile; on the way nothing bars the path, so that the trip ends where it began.
    assert back["full_turn_psnr"] > 25 and back["there_and_back_psnr_5s"] > 25
    assert mirror["mirror_psnr"] == mirror["mirror_psnr_truth"] > 25
    assert turn["turning_psnr"] == turn["turning_psnr_truth"] > 25


def test_a_mirror_walk_ends_where_it_began_and_meets_every_pose_of_the_way_out() -> None:
    world = make_world("counting")
    actions = [Action(forward=0.5, strafe=-1, turn=0.3, look=1.0, jump=True, run=k % 3 == 0) for k in range(40)]
    out = mirrored_out(actions, pitch=0.5)
    world.reset(seed=0)
    poses = [world.step(action.to_array())[-1]["pose"].to_array() for action in [*out, *backwards(out)]]
    way_out, way_back = np.array([np.array([0, 0, 1.7, 0, 0]), *poses[:39]]), np.array(poses[40:])
    np.testing.assert_allclose(way_back, way_out[::-1], atol=1e-6)
    assert np.ptp(way_out, axis=0)[[0, 1, 3]].min() > 0.1, "it went somewhere"


def test_a_dream_that_moves_while_nothing_is_pressed_is_found_out() -> None:
    class Rolling:
        """Shows the world from a slowly turning head."""

        count = 0

        def follow(self, frames: NDArray[np.uint8], *_: Any) -> Frame:
            return Frame(frames[-1], 0, Pose(), biome("snow"))

        def step(self, action: Action) -> Frame:
            self.count += self.speed
            return Frame(np.roll(country(3), self.count, 1), 0, Pose(), biome("snow"))

        def __init__(self, speed: int) -> None:
            self.speed = speed

    world = make_world("counting")
    truth, judge = record(world, 0, 9), random_judge()
    still, away = idle(Dream(Rolling(0), ""), judge, truth, TINY_PLAN, untold)
    assert (still["idle_psnr_60s"], still["idle_moved_px_60s"]) == (BEST_PSNR, 0.0) and away.max() < 1e-6
    moved, away = idle(Dream(Rolling(1), ""), judge, truth, TINY_PLAN, untold)
    assert moved["idle_psnr_60s"] < 30 and moved["idle_moved_px_60s"] == 7 and away[-1] > 1e-3


def test_the_frechet_distance_knows_gaussians() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(0, 1, (4000, 3))
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet(one, one + np.array([2, 0, 0])) == pytest.approx(4)
    assert frechet(one, 3 * (one - one.mean(0)) + one.mean(0)) == pytest.approx(3 * 4, rel=0.1)
    few = rng.normal(0, 1, (FEWEST // 2, 3))
    assert between([few, few], [few, few]) == pytest.approx(0, abs=1e-9)
    assert between([few], [few]) is None, "too few for a covariance"


def test_drift_compares_the_beginning_with_the_end() -> None:
    judge = random_judge()
    film = np.stack([country(seed) for seed in range(20)])
    fading = np.stack([frame // (1 + index // 10) for index, frame in enumerate(film)])
    steady, faded = (drift(f, judge) for f in (film, fading))
    assert faded["brightness"] > 40 > 10 > steady["brightness"] and faded["contrast"] > steady["contrast"]
    assert sharpness_ratio(fading) == pytest.approx(0.5, abs=0.05) and sharpness_ratio(film) > 0.9


def test_conditions_agree_tells_country_and_light_apart() -> None:
    asked = replace(biome("meadow", hour=12.0), meadow=0.55, desert=0.45)
    seen = [biome("desert", hour=13.0), biome("meadow", hour=23.0), biome("snow", hour=12.0), biome("marsh", hour=1.0)]
    agreed = conditions_agree(np.stack([one.to_array() for one in seen]), asked)
    assert (agreed.country, agreed.light, agreed.both) == (0.5, 0.5, 0.25), "half a desert may be read as one"
    pure = conditions_agree(seen[0].to_array()[None], replace(asked, meadow=0.8, desert=0.2))
    assert (pure.country, pure.light) == (0.0, 1.0)

    def light(read: float, hour: float) -> float:
        return conditions_agree(biome("snow", hour=read).to_array()[None], biome("snow", hour=hour)).light

    assert light(12, 18.5) == light(0, 18.5) == 0, "dusk is neither noon nor midnight"
    assert light(6, 18.5) == 1, "but a picture hardly tells it from dawn"
    assert light(12, 17.7) == light(18.5, 17.3) == 1, "nor where it begins"


def test_keys_read_back_are_counted_by_key() -> None:
    judge = random_judge()
    observed = replace(judge.observe(np.zeros((4, 144, 256, 3), np.uint8)))
    observed.key_scores[:] = 0
    observed.key_scores[:, 0] = (1, 1, 0)
    found = read_back(judge, observed, [Action(forward=1), Action(turn=1), Action(forward=1)])
    scores = (found + found).scores()
    assert scores["forward"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "pressed": 4}
    assert scores["turn_right"]["f1"] == 0 and set(scores) == {"forward", "turn_right"}
    assert found.f1(KEYS) is None, "too few presses"
    often = sum([found] * 24, found)
    assert often.f1(KEYS) == 0.25 and often.f1({"forward", "jump"}) == 0.5 and often.f1({"jump"}) is None


def test_the_true_score_of_a_second_is_what_its_pictures_share_with_the_truth() -> None:
    distance = np.array([0.1, 0.3, 0.5, 0.7, 1.5, 1.7, 0.0])
    curve = Curve(np.arange(1, 8) / 2, {"distance": distance})
    assert score_by_second(curve) == pytest.approx([0.8, 0.4, 0.0]), "half a second more is no whole one"


def test_the_half_life_is_when_half_of_an_unrelated_frames_excess_is_reached() -> None:
    seconds = instants(240, 6) / 24
    rising = 0.1 + 0.08 * seconds
    assert half_life(seconds, rising, ceiling=0.1, unrelated=1.1) == pytest.approx(6.25, abs=0.3)
    assert half_life(seconds, rising, ceiling=0.1, unrelated=2.1) is None
    spike = np.full(40, 0.1)
    spike[20] = 1.0
    assert half_life(seconds, spike, ceiling=0.1, unrelated=1.1) is None, "a single bad frame is no end"


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
    measured = (
        "autoencoder_psnr", "next_frame_psnr", "psnr_1s", "idle_psnr_60s", "sharpness_ratio_60s", "mirror_psnr",
        "conditions_accuracy_60s", "conditions_accuracy_60s_truth", "full_turn_psnr", "distance_1s",
        "ssim_1s_no_memory", "psnr_1s_repeated", "turning_psnr",
        "next_frame_psnr_no_memory", "drift_conditions", "unrelated_distance", "elsewhere_distance",
        "psnr_1s_elsewhere",
    )  # fmt: skip
    for name in measured:
        assert math.isfinite(line[name]), name
    assert line["psnr_3s"] is None and line["meter_spearman"] is None, "not measured is null, not a guess"
    assert line["frechet_32"] is None and 0 <= line["controllability_f1"] <= 1
    assert 0 <= line["opposite_key_accuracy"] <= 1
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".json", ".mp4"}
    told = json.loads((tmp_path / "coherence.json").read_text())
    assert len(told["curves"]["memory"]["psnr"]) == 2 and len(told["curves"]["memory"]["seconds"]) == 4
    assert len(told["samples"]["psnr_1s"]) == 2 and told["judge_on_distortions"]["distances"]["blur"]


def test_worlds_measured_by_several_processes_are_the_same(checkpoint: Path, tmp_path: Path) -> None:
    engine_options = EngineOptions(checkpoint, quality="144p", runtime="eager", dtype="fp32", threads=1)
    plan = replace(TINY_PLAN, horizon=6, horizon_no_memory=6, keys_worlds=1, idle_worlds=0, trips=())
    job = Job("counting", engine_options, checkpoint, plan, tmp_path)
    drawn: list[int] = []
    alone, together = measure_worlds(job, 1, untold), measure_worlds(job, 2, drawn.append)
    assert [found.number for found in together] == [0, 1] and sum(drawn) > 0
    for one, other in zip(alone, together, strict=True):
        assert one.numbers == pytest.approx(other.numbers) and one.name == other.name


def test_bad_wishes_are_refused(tmp_path: Path) -> None:
    assert {"bench coherence", "bench sheets"} <= COMMANDS.keys()
    with pytest.raises(UsageError, match="--episodes 0"):
        Options(episodes=0)
    with pytest.raises(CheckpointError):
        main(Options(checkpoint=tmp_path / "nothing", out=tmp_path))
    assert Options(quick=True).plan() == QUICK and Options().plan().horizon == 60 * 24
    more, fewer = Options(quick=True, episodes=48).plan(), Options(episodes=1).plan()
    assert (more.episodes, more.keys_worlds, more.idle_worlds, more.trips) == (48, 24, 0, ((5, 24),))
    assert (fewer.episodes, fewer.idle_worlds, fewer.trips) == (1, 1, ((5, 1), (15, 1), (30, 1)))
    assert Options(horizon=90).plan().horizon == 90 * 24
    with pytest.raises(UsageError, match="--horizon 0"):
        Options(horizon=0)
