"""The judge: its distance orders known harm, it reads keys and country off true pictures, damaged files are refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from genie_lite.actions import JUMP_STEPS, Action
from genie_lite.bench.control import read_back
from genie_lite.bench.distortions import STRENGTHS, ordering, sensible
from genie_lite.bench.heldout import Truth, record
from genie_lite.camera import FAR, NEAR, TAN_X, TAN_Y
from genie_lite.conditions import CONDITIONS_DIM
from genie_lite.engine.shipped import checkpoint_roots, find_judge
from genie_lite.errors import CheckpointError, OutputError, RenderError
from genie_lite.model.egomotion import MIRRORED, USUAL, egomotion
from genie_lite.model.judge import CLIP_DIM, KEYS, Judge, JudgeNet, load_judge, pressed_keys, save_judge
from genie_lite.worlds import make_world

SHIPPED = next((root / "landscape" for root in checkpoint_roots() if (root / "landscape").is_dir()), None)


@pytest.fixture
def judge() -> Judge:
    """Of random weights."""
    torch.manual_seed(0)
    return Judge(JudgeNet().eval().requires_grad_(False), {"steps": 0})


@pytest.fixture(scope="module")
def shipped() -> Judge:
    if SHIPPED is None:
        pytest.skip("no shipped weights")
    return load_judge(SHIPPED)


@pytest.fixture(scope="module")
def truths() -> list[Truth]:
    """The beginnings of held-out landscapes."""
    try:
        world = make_world("landscape")
    except RenderError as error:
        pytest.skip(f"no OpenGL: {error}")
    found = [record(world, number, 72 if number < 2 else 1) for number in range(6)]
    world.close()
    return found


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    blocks = np.random.default_rng(seed).integers(0, 256, (count, 18, 32, 3), np.uint8)
    return blocks.repeat(8, 1).repeat(8, 2)


def test_the_distance_is_one_number_a_pair_and_none_for_equal_pictures(judge: Judge) -> None:
    one, other = pictures(11), pictures(11, seed=1)
    apart = judge.distance(one, other)
    assert apart.shape == (11,) and apart.dtype == np.float64 and (apart > 0).all()
    np.testing.assert_allclose(judge.distance(other, one), apart, rtol=1e-5)
    np.testing.assert_allclose(judge.distance(one, one), 0, atol=1e-6)
    np.testing.assert_allclose(judge.distance(one[8:9], other[8:9])[0], apart[8], rtol=1e-4)
    assert judge.distance(one[:0], other[:0]).shape == (0,)


def test_what_is_observed_does_not_depend_on_how_pictures_are_batched(judge: Judge) -> None:
    film = pictures(19)
    whole = judge.observe(film)
    read = judge.read_conditions(film)
    assert whole.seen.shape[0] == 19 and read.shape == (19, CONDITIONS_DIM)
    assert whole.key_scores.shape == (18, len(KEYS)) and judge.keys(whole).shape == (18, len(KEYS))
    for first in (0, 6, 13):
        part = judge.observe(film[first : first + 6])
        # Other batches may be summed in another order, which costs the last bits of large numbers too.
        np.testing.assert_allclose(part.moved, whole.moved[first : first + 5], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(judge.read_conditions(film[first : first + 6]), read[first : first + 6], atol=1e-5)
    assert judge.clip_features(whole, 16, 1).shape == (4, CLIP_DIM)
    assert judge.clip_features(whole, 32, 8).shape == (0, CLIP_DIM)


def test_keys_are_what_an_action_presses_and_a_picture_can_show() -> None:
    actions = [Action(forward=1, turn=-1, run=True), Action(strafe=-0.5, look=0.1, jump=True), Action(run=True)]
    pressed, shown = pressed_keys(np.stack([action.to_array() for action in actions]))
    names = [{KEYS[key] for key in np.flatnonzero(row)} for row in pressed]
    assert names == [{"forward", "turn_left", "run"}, {"left", "jump"}, {"jump"}], "a jump lasts"
    assert shown[:, KEYS.index("run")].tolist() == [True, True, False]
    presses = np.zeros((60, 6), np.float32)
    presses[[0, 5, JUMP_STEPS + 3], 4] = 1
    jumping = pressed_keys(presses)[0][:, KEYS.index("jump")]
    assert jumping[:JUMP_STEPS].all() and not jumping[JUMP_STEPS : JUMP_STEPS + 3].any(), "none begins in the air"
    assert jumping.sum() == 2 * JUMP_STEPS


def test_a_judge_comes_back_from_its_files(judge: Judge, tmp_path: Path) -> None:
    judge.net.scale.copy_(torch.tensor([0.1, 0.2, 0.3]))
    save_judge(tmp_path, judge)
    again = load_judge(tmp_path)
    np.testing.assert_allclose(
        again.distance(pictures(2), pictures(2, 1)), judge.distance(pictures(2), pictures(2, 1)), rtol=0.02
    )
    assert again.made == judge.made and torch.equal(again.net.scale, judge.net.scale)
    assert (tmp_path / "judge.safetensors").stat().st_size < 3_000_000


def test_a_judge_that_cannot_be_written_whole_leaves_the_one_before(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *text: str, **how: str) -> None:
        raise OSError("no space")

    save_judge(tmp_path, judge)
    before = (tmp_path / "judge.safetensors").read_bytes()
    monkeypatch.setattr(Path, "write_text", full)
    judge.net.scale.fill_(9.0)
    with pytest.raises(OutputError, match="cannot write the judge"):
        save_judge(tmp_path, Judge(judge.net, {"steps": 9}))
    assert load_judge(tmp_path).made == {"steps": 0} and (tmp_path / "judge.safetensors").read_bytes() == before


def test_a_damaged_judge_is_refused(judge: Judge, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="genie-lite train judge"):
        load_judge(tmp_path)
    save_judge(tmp_path, judge)
    (tmp_path / "judge.json").write_text('{"format": "something else", "made": {}}')
    with pytest.raises(CheckpointError, match="something else"):
        load_judge(tmp_path)
    save_judge(tmp_path, judge)
    whole = (tmp_path / "judge.safetensors").read_bytes()
    (tmp_path / "judge.safetensors").write_bytes(whole[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        load_judge(tmp_path)


def test_a_checkpoints_own_judge_comes_first_and_the_worlds_is_the_second_choice(judge: Judge, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="genie-lite train judge"):
        find_judge(tmp_path, "nowhere")
    if SHIPPED is not None:
        assert find_judge(tmp_path, "landscape") == SHIPPED
    save_judge(tmp_path, judge)
    assert find_judge(tmp_path, "landscape") == tmp_path


def test_more_harm_costs_more_and_small_harm_little(shipped: Judge, truths: list[Truth]) -> None:
    frames = np.stack([truth.frames[0] for truth in truths])
    found = ordering(shipped, frames, np.roll(frames, 1, 0))
    assert sensible(found), found
    costs = {(name, s): d for name in STRENGTHS for s, d in zip(STRENGTHS[name], found[name], strict=True)}
    assert costs["shift", 1] < 0.5 * costs["object", 64], "a pixel's shift is nearly nothing, a new object is much"
    assert costs["colour", 4] < 0.25 * costs["colour", 64]
    assert max(found["blur"][0], found["shift"][0], found["colour"][0]) < 0.5 * found["unrelated"][0]


def test_the_shipped_judge_reads_keys_and_country_of_worlds_it_has_never_seen(
    shipped: Judge, truths: list[Truth]
) -> None:
    long = [truth for truth in truths if len(truth.frames) > 1]
    read = [read_back(shipped, shipped.observe(truth.frames), truth.actions[:-1]) for truth in long]
    scores = sum(read[1:], read[0]).scores()
    assert min(scores[key]["f1"] for key in ("turn_left", "turn_right", "forward") if key in scores) > 0.7, scores
    biomes = [shipped.read_conditions(truth.frames[:1])[0, :8].argmax() for truth in truths]
    asked = [np.argmax(truth.conditions[0].biomes) for truth in truths]
    assert np.mean(np.equal(biomes, asked)) >= 0.5


def test_how_the_eye_moved_is_found_by_what_the_pictures_show() -> None:
    random = np.random.default_rng(0)
    plane = torch.from_numpy(random.random((1, 3, 40, 40), np.float32)) * 2 - 1
    plane = F.interpolate(plane, size=(480, 480), mode="bicubic").clamp(-1, 1)
    near, far = 4.0, 20.0
    depth = torch.full((1, 1, 72, 128), far)
    depth[..., 36:, :] = near

    def seen(right: float, turned: float) -> torch.Tensor:
        """Two walls, the near one below the far one, after a step to the right and a turn to the right."""
        u = (torch.arange(256) + 0.5) / 128 - 1
        v = 1 - (torch.arange(144) + 0.5) / 72
        angle = torch.atan(u * TAN_X) + turned
        z = torch.where(v > 0, far, near)[:, None].expand(-1, 256)
        x = z * torch.tan(angle) + right
        y = (z / torch.cos(angle) * torch.cos(angle - turned)) * v[:, None] * TAN_Y
        return F.grid_sample(plane, torch.stack([x / 20, y / 20], 2)[None], align_corners=False)

    log_depth = torch.log(depth / NEAR) / math.log(FAR / NEAR)
    for right, turned in ((0.15, 0.0), (-0.15, 0.0), (0.0, 0.05), (0.1, -0.05)):
        moved = egomotion(seen(0, 0), seen(right, turned), log_depth)[0]
        assert float(moved[0]) * USUAL[0] == pytest.approx(right, abs=0.04), (right, turned, moved)
        assert float(moved[3]) * USUAL[3] == pytest.approx(turned, abs=0.01), (right, turned, moved)
    pair = torch.cat([seen(0, 0), seen(0.1, 0.03)])
    one, mirror = (egomotion(x[:1], x[1:], log_depth) for x in (pair, pair.flip(3)))
    torch.testing.assert_close(mirror[:, :5], one[:, :5] * torch.tensor(MIRRORED[:5]), atol=0.05, rtol=0)
