"""Training: every part's loss falls, a stopped run goes on, several processes agree. Data of the counting world."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

pytest.importorskip("gymnasium", reason="needs the training packages")

from tiny import TINY, saved, tiny_model
from training import fitted, free_port, join, leave, mean_loss

from genie_lite.actions import JUMP_STEPS, Action
from genie_lite.conditions import CONDITION_NAMES, biome
from genie_lite.data.collect import Options as CollectOptions
from genie_lite.data.collect import collect
from genie_lite.data.episodes import list_episodes, read_episode, write_episode
from genie_lite.engine.dream import DreamEngine, EngineOptions
from genie_lite.errors import DataError, UsageError
from genie_lite.model.autoencoder import ConditionsHead
from genie_lite.model.checkpoint import PARTS, Model, load_model
from genie_lite.model.first_frame import DEPTH_STEP, LATENT_STEP, FirstFrame, FirstFrameConfig
from genie_lite.model.layers import to_unit
from genie_lite.model.motion import WALK_STEP, Motion, jump_steps, stride
from genie_lite.train.autoencoder import AutoencoderPart, FramePart, PicturesPart, ThumbnailPart
from genie_lite.train.clips import FrameSet, LatentSet, Walk, load_frames, load_latents, load_walks
from genie_lite.train.command import ORDER, Options, main
from genie_lite.train.dynamics import DynamicsPart
from genie_lite.train.first_frame import FOG, fit_first_frame, shown
from genie_lite.train.loop import Part, Ranks
from genie_lite.train.motion import evaluate_motion, fit_motion
from genie_lite.train.streams import Streams

STEPS_PER_EPISODE = 230
"""Enough for the held-out rollout: it begins at frame 96 and is 120 long."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "counting"
    usual = CollectOptions(world="counting", out=folder, episodes=2, steps=STEPS_PER_EPISODE, pictures=1)
    collect(usual, progress=False)
    collect(replace(usual, split="validation", episodes=1), progress=False)
    return folder


@pytest.fixture
def model() -> Model:
    made = tiny_model()
    for name in PARTS:
        made.part(name).to(Ranks().device)
    return made


@pytest.fixture(scope="module")
def frames(data: Path) -> FrameSet:
    return load_frames(data, "train", Ranks().device, 64)


@pytest.fixture
def latents(data: Path, model: Model, tmp_path: Path) -> LatentSet:
    return load_latents(data, "train", model.autoencoder, Ranks().device, tmp_path / "cache")


# --- losses -----------------------------------------------------------------------------------------------------


def test_the_autoencoders_loss_falls(model: Model, frames: FrameSet, tmp_path: Path) -> None:
    part = AutoencoderPart(model.autoencoder, frames, frames, batch=4, seed=0)
    before = mean_loss(part)
    fitted(part, tmp_path, 12)
    assert mean_loss(part) < 0.7 * before


@pytest.mark.parametrize("kind", [FramePart, ThumbnailPart, PicturesPart])
def test_a_heads_loss_falls_and_the_encoder_stays_as_it_is(
    kind: Callable[..., Part], model: Model, frames: FrameSet, tmp_path: Path
) -> None:
    part = kind(model.autoencoder, frames, frames, batch=2, seed=0)
    encoder = {key: value.clone() for key, value in model.autoencoder.encoder.state_dict().items()}
    before = mean_loss(part)
    fitted(part, tmp_path, 20)
    assert mean_loss(part) < 0.8 * before
    assert all(torch.equal(value, encoder[key]) for key, value in model.autoencoder.encoder.state_dict().items())


@pytest.mark.parametrize(("kind", "size"), [(FramePart, "144p"), (PicturesPart, "720p"), (PicturesPart, "360p")])
def test_a_refit_head_draws_with_less_error(
    kind: Callable[..., Any], size: str, model: Model, frames: FrameSet
) -> None:
    part = kind(model.autoencoder, frames, frames, batch=2, seed=0)
    fitting = to_unit((frames.frames if size == "144p" else frames.large).permute(0, 3, 1, 2))
    shown = to_unit((frames.frames if size == "144p" else frames.small).permute(0, 3, 1, 2))
    truth = F.interpolate(fitting, scale_factor=0.5, mode="area") if size == "360p" else fitting

    def error() -> float:
        with torch.no_grad():
            return float((model.autoencoder.decode(model.autoencoder.encode(shown), size) - truth).square().mean())

    before = error()
    part.refit()
    assert error() < 0.9 * before


SOFTNESS = 0.6


def jumping(walks: list[Walk]) -> tuple[list[Walk], Tensor]:
    """The same walks with many jumps, over slopes that the eye follows softly; and the jumps' arc."""
    arc, chance = torch.linspace(1.0, -1.0, JUMP_STEPS), torch.Generator().manual_seed(3)
    made = []
    for poses, actions in walks:
        poses, actions, length = poses.cpu().clone(), actions.cpu().clone(), len(poses)
        actions[:, 4] = (torch.rand(length, generator=chance) < 0.03).float()
        jump = F.pad(arc, (1, 0))[torch.tensor(jump_steps(actions[:, 4] > 0.5))]
        asked, rise = stride(actions), torch.zeros(length)
        for step in range(1, length):
            slope = 0.5 * math.sin(step / 40)
            rise[step] = SOFTNESS * rise[step - 1] + (1 - SOFTNESS) * slope * asked[step].norm()
        poses[:, 2] = F.pad((jump + rise).cumsum(0), (1, -1)) * WALK_STEP
        made.append((poses.to(Ranks().device), actions.to(Ranks().device)))
    return made, arc.to(Ranks().device)


def test_motion_learns_the_jump_and_how_a_rise_dies_away(model: Model, data: Path) -> None:
    walks, arc = jumping(load_walks(data, "train", Ranks().device))
    made = fit_motion(model.motion, walks)
    assert made["steps"] == 2 * (STEPS_PER_EPISODE - 1) and made["jumps"] > 5
    assert (model.motion.arc - arc).abs().max() < 0.05
    assert float(model.motion.softness.detach()) == pytest.approx(SOFTNESS, abs=0.2), (
        "motion knows no slope, only the last rise"
    )
    measured = evaluate_motion(model.motion, walks)
    flat = Motion().to(Ranks().device)
    assert measured["height_centimetres"] < 0.5 * evaluate_motion(flat, walks)["height_centimetres"]


def looking_up(latents: LatentSet) -> Tensor:
    """The poses, none of them level."""
    poses = latents.poses.clone()
    poses[:, 4] = 0.5
    return poses


def test_the_first_frame_keeps_only_level_open_views_and_their_depth(
    model: Model, latents: LatentSet, data: Path, tmp_path: Path
) -> None:
    poses, files = looking_up(latents), list_episodes(data, "train")
    poses[[8, 16, 24], 4] = 0.02
    episode = read_episode(files[0])
    depth = episode.depth.copy()
    depth[8], depth[16] = 0.9, 0.6
    depth[24] = 0.2  # a wall before one's nose
    write_episode(tmp_path / "walled.safetensors", replace(episode, depth=depth))
    files[0] = tmp_path / "walled.safetensors"
    head = model.autoencoder.conditions
    found = fit_first_frame(model.first_frame, replace(latents, poses=poses), files, head)
    assert found["views"] == 2 and found["kept"] == 32
    kept = model.first_frame.examples[[0, -1]]
    torch.testing.assert_close(kept, latents.latents[[8, 16]].float(), atol=LATENT_STEP, rtol=0)
    assert [float(depth.float().mean()) / 255 for depth in model.first_frame.depths[[0, -1]]] == pytest.approx(
        [0.9, 0.6], abs=DEPTH_STEP
    )
    poses[:, 4] = 0.5
    with pytest.raises(DataError, match="collect more"):
        fit_first_frame(model.first_frame, replace(latents, poses=poses), files, head)


class Reader(ConditionsHead):
    """Reads the country that it is told, and of the land whatever."""

    def __init__(self, told: Tensor) -> None:
        super().__init__()
        self.told = told

    def forward(self, latent: Tensor) -> Tensor:
        return self.told[: len(latent)]


def test_the_first_frame_prefers_clear_views_that_show_their_country(latents: LatentSet, data: Path) -> None:
    poses, told = looking_up(latents), latents.conditions.clone()
    rows = [0, *(STEPS_PER_EPISODE + 8 * k for k in range(3))]
    poses[rows, 4] = 0.0
    told[rows] = torch.from_numpy(biome("desert", fog=0.0).to_array())
    told[rows[0], FOG] = 0.9
    read = told[rows].clone()
    read[1] = torch.from_numpy(biome("snow").to_array())
    module = FirstFrame(FirstFrameConfig(examples=2)).to(told.device)
    seen = replace(latents, poses=poses, conditions=told)
    found = fit_first_frame(module, seen, list_episodes(data, "train"), Reader(read))
    assert found == {"views": 4, "fitting": 2, "kept": 2}
    torch.testing.assert_close(module.examples, latents.latents[rows[2:]].float(), atol=LATENT_STEP, rtol=0)


def test_a_view_has_as_much_of_the_land_as_is_read_off_it() -> None:
    told = torch.stack([torch.from_numpy(biome("meadow", settlement=much).to_array()) for much in (0.9, 0.0, 0.4)])
    read, column = told.clone(), CONDITION_NAMES.index("settlement")
    read[:, column] = torch.tensor([0.21, 0.22, 0.3])  # a village out of sight, and a house that nobody was told of
    read[0, :8] = torch.from_numpy(biome("autumn").to_array())[:8]
    found = shown(told, read)
    assert found[:, column].tolist() == pytest.approx([0.0, 0.4, 0.9])
    assert found[0, :2].tolist() == pytest.approx([0.5, 0.5]) and found[1, 0] == 1
    assert torch.equal(found[:, column - 1], told[:, column - 1])


def test_the_dynamics_learns_a_world_that_flips_each_frame(model: Model, latents: LatentSet, tmp_path: Path) -> None:
    signs = 1.0 - 2.0 * (torch.arange(len(latents.latents), device=latents.latents.device) % 2)
    flipping = signs[:, None, None, None].to(latents.latents) * torch.ones_like(latents.latents)
    data = replace(latents, latents=flipping)

    def fresh() -> DynamicsPart:
        """All streams at their beginning, so that before and after compare."""
        torch.manual_seed(0)
        return DynamicsPart(model.dynamics, data, data, model.autoencoder, batch=4, seed=0)

    before = mean_loss(fresh())
    fitted(fresh(), tmp_path, 80)
    assert mean_loss(fresh()) < 0.7 * before


def test_streams_begin_anywhere_and_in_long_episodes_more_often(model: Model) -> None:
    lengths, count = torch.tensor([205, 25]), 600
    rows = int(lengths.sum())
    numbered = torch.arange(rows, dtype=torch.float16)[:, None, None, None].expand(rows, 16, 18, 32)
    data = LatentSet(
        numbered,
        torch.zeros(rows, 5),
        torch.zeros(rows, 6),
        torch.zeros(rows, 18),
        lengths.cumsum(0) - lengths,
        lengths,
    )
    streams = Streams(data, model.autoencoder.thumbnail.cpu(), count, seed=0)
    streams.begin(torch.arange(count), torch.full((count,), 1000))
    short = streams.row >= 205
    assert 0.06 < short.float().mean() < 0.14, "20 of 220 frames have a past and a future in the short one"
    for row, end, first, last in (
        (streams.row[~short], streams.end[~short], 3, 204),
        (streams.row[short], streams.end[short], 208, 229),
    ):
        assert row.min() >= first and row.max() < last and (end == last).all()
    assert len(streams.row.unique()) > 180


def test_training_is_shown_the_hints_of_play_whatever_the_precision_of_networks(model: Model) -> None:
    torch.manual_seed(0)
    start, length = torch.tensor([0]), torch.tensor([40])
    poses = torch.linspace(0, 2, 40)[:, None] * torch.tensor([0.3, 1.0, 0.0, 0.1, 0.0])
    data = LatentSet(torch.randn(40, 16, 18, 32).half(), poses, torch.zeros(40, 6), torch.zeros(40, 18), start, length)
    streams = Streams(data, model.autoencoder.thumbnail.cpu(), 2, seed=0)
    streams.begin(torch.arange(2), torch.full((2,), 8), torch.tensor([12, 25]))
    exact = streams.conditioning()["hint"]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(streams.conditioning()["hint"], exact)


# --- data -------------------------------------------------------------------------------------------------------


def test_encoded_episodes_lie_end_to_end_and_are_encoded_once(data: Path, model: Model, tmp_path: Path) -> None:
    device = Ranks().device
    first = load_latents(data, "train", model.autoencoder, device, tmp_path)
    assert first.latents.shape == (2 * STEPS_PER_EPISODE, 16, 18, 32)
    assert first.start.tolist() == [0, STEPS_PER_EPISODE] and first.length.tolist() == [STEPS_PER_EPISODE] * 2
    stored = list(tmp_path.iterdir())
    again = load_latents(data, "train", model.autoencoder, device, tmp_path)
    assert torch.equal(first.latents, again.latents) and list(tmp_path.iterdir()) == stored
    with torch.no_grad():
        model.autoencoder.encoder.linear.weight.add_(0.1)
    changed = load_latents(data, "train", model.autoencoder, device, tmp_path)
    assert not torch.equal(first.latents, changed.latents)


def test_without_data_training_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="genie-lite collect"):
        main(Options(part="autoencoder", data=tmp_path / "nowhere", out=tmp_path / "out", budget="1s"))


# --- everything -------------------------------------------------------------------------------------------------


def test_train_all_leaves_a_checkpoint_that_dreams(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Eight rollouts of five seconds only to look at them would take longer than all the training.
    monkeypatch.setattr(DynamicsPart, "sheet", lambda self, module, path: None)
    monkeypatch.setattr("genie_lite.train.weather.LIT_PLACES", 4)
    monkeypatch.setattr("genie_lite.train.weather.LIGHT_STEPS", 20)
    start, out = saved(tmp_path / "tiny", tiny_model()), tmp_path / "out"
    options = Options(data=data, out=out, budget="4s", batch=4, most_frames=40, start_from=start)
    assert main(options) == 0
    model = load_model(out)
    assert model.config == TINY and set(model.made) == set(ORDER)
    trained = [made for name, made in model.made.items() if name not in ("first_frame", "weather")]
    assert all(made["steps"] > 0 and "held_out" in made for made in trained)
    assert all(torch.isfinite(value).all() for name in PARTS for value in model.part(name).state_dict().values())
    assert (out / "training" / "autoencoder.png").stat().st_size > 0
    trained_once = [(out / f"{name}.safetensors").read_bytes() for name in PARTS[:3]]
    assert main(options) == 0
    given_again = [(out / f"{name}.safetensors").read_bytes() for name in PARTS[:3]]
    assert given_again == trained_once
    (out / "training" / "frame.resume.pt").unlink()
    assert main(replace(options, part="frame", budget="0.1s")) == 0
    assert (out / "autoencoder.safetensors").read_bytes() != trained_once[0], "one without its training goes on"
    engine = DreamEngine.load(EngineOptions(out, quality="144p", runtime="eager", dtype="fp32", threads=1))
    first = engine.reset(biome("meadow"), 0)
    assert engine.step(Action(forward=1)).image.shape == first.image.shape == (144, 256, 3)


def _all_in_one_of_two(rank: int, port: int, options: Options) -> None:
    """Trains autoencoder and frame in one go, and leaves the weights that this process ends with."""
    join(rank, port)
    models = []

    def keep(folder: Path) -> Model:
        models.append(load_model(folder))
        return models[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genie_lite.model.checkpoint.load_model", keep)
        patch.setattr("genie_lite.train.command.ORDER", ("autoencoder", "frame"))
        patch.setattr(AutoencoderPart, "sheet", lambda self, module, path: None)
        main(options)
    torch.save(models[0].autoencoder.state_dict(), options.out.parent / f"{rank}.pt")
    leave()


def test_after_train_all_every_process_has_the_same_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    start = saved(tmp_path / "tiny", tiny_model())
    options = Options(data=data, out=tmp_path / "out", budget="4s", batch=4, most_frames=40, start_from=start)
    torch.multiprocessing.spawn(_all_in_one_of_two, (free_port(), options), nprocs=2)
    one, other = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    for name, weights in load_model(tmp_path / "out", ("autoencoder",)).autoencoder.state_dict().items():
        assert torch.equal(one[name], other[name]), name
        torch.testing.assert_close(one[name].bfloat16().float(), weights)


@pytest.mark.parametrize(("budget", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400)])
def test_a_budget_is_a_number_and_a_unit(budget: str, seconds: float) -> None:
    assert Options(budget=budget).seconds == seconds


@pytest.mark.parametrize("budget", ["", "6", "h", "soon", "-1h", "0s", "nanh", "3d"])
def test_any_other_budget_is_wrong_usage(budget: str) -> None:
    with pytest.raises(UsageError, match="90s, 30m or 6h"):
        _ = Options(budget=budget).seconds
