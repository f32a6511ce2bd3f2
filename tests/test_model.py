"""The four parts of the model, spatial memory, the sampler and checkpoints: shapes, geometry and exactness."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny import TINY, saved, shaken, tiny_model
from torch import Tensor

from genie_lite.actions import PITCH_LIMIT, Action
from genie_lite.camera import TAN_X, TAN_Y, Pose, log_depth
from genie_lite.errors import CheckpointError, OutputError
from genie_lite.model.autoencoder import LATENT_BOUND, PICTURE_SIZES
from genie_lite.model.checkpoint import PARTS, load_model, save_part
from genie_lite.model.dynamics import dynamics_vector
from genie_lite.model.layers import patchify, to_unit, unpatch
from genie_lite.model.memory import DREAMED, SpatialMemory, clamp_thumbnail, empty_hint
from genie_lite.model.motion import WALK_STEP, advance, motion_between
from genie_lite.model.reproject import camera_rays, warp
from genie_lite.model.sampler import flow, seeded_noise

CPU = torch.device("cpu")

# --- shapes and layers ------------------------------------------------------------------------------------------


@torch.no_grad()
def test_every_part_keeps_its_shapes() -> None:
    model, latent = tiny_model(), torch.randn(2, 16, 18, 32)
    assert model.autoencoder.encode(torch.rand(2, 3, 144, 256)).shape == latent.shape
    for size, (width, height) in PICTURE_SIZES.items():
        assert model.autoencoder.decode(latent, size).shape == (2, 3, height, width)
    assert model.autoencoder.thumbnail(latent, torch.zeros(2, 1)).shape == (2, 4, 72, 128)
    assert model.autoencoder.conditions(latent).shape == (2, 18)
    assert model.motion(torch.zeros(2, 6), torch.zeros(2, 3)).shape == (2, 3)
    one = torch.zeros(2, 1)
    vector = dynamics_vector(torch.zeros(2, 6), torch.zeros(2, 5), one, torch.zeros(2, 18), one, one)
    context = latent.repeat(1, 4, 1, 1)
    assert model.dynamics(latent, context, empty_hint(2, CPU), vector).shape == latent.shape
    drawn, depth = model.first_frame(latent[:1], torch.zeros(1, 18))
    assert drawn.shape == latent[:1].shape and depth.shape == (1, 1, 72, 128)


@torch.no_grad()
def test_a_strip_of_the_large_picture_is_the_same_as_that_part_of_the_whole() -> None:
    model, latent = shaken(tiny_model()), torch.randn(1, 16, 18, 32)
    head = model.autoencoder.head("720p")
    whole = head(latent)
    for top, bottom in ((0, 30), (40, 60), (60, 90)):
        torch.testing.assert_close(head(latent, (top, bottom)), whole[:, :, top * 8 : bottom * 8])


def test_unpatch_inverts_patchify_and_puts_a_patch_where_it_belongs() -> None:
    picture = torch.rand(2, 3, 144, 256)
    patches = patchify(picture, 8)
    assert torch.equal(unpatch(patches, 8), picture)
    # Channels are ordered row, column, colour.
    assert torch.equal(patches[0, (5 * 8 + 6) * 3 + 1, 4, 7], picture[0, 1, 4 * 8 + 5, 7 * 8 + 6])


@torch.no_grad()
def test_latents_stay_bounded_however_wild_the_frame() -> None:
    model = shaken(tiny_model())
    assert model.autoencoder.encode(1e4 * torch.randn(1, 3, 144, 256)).abs().max() <= LATENT_BOUND
    context = 1e3 * torch.randn(1, 64, 18, 32)
    drawn = model.dynamics(context[:, :16], context, empty_hint(1, CPU), torch.zeros(1, 32))
    assert drawn.abs().max() <= LATENT_BOUND


@torch.no_grad()
def test_principal_components_reconstruct_frames_before_any_training() -> None:
    torch.manual_seed(1)
    # Smooth frames have few components: 16 an 8x8 patch are nearly enough, and 1 would not be.
    coarse = torch.rand(24, 3, 10, 17) * 2 - 1
    frames = torch.nn.functional.interpolate(coarse, size=(144, 256), mode="bilinear", align_corners=True)
    frames = frames + 0.01 * torch.randn_like(frames)
    net = tiny_model().autoencoder
    net.start_from_pca(frames)
    latent = net.encode(frames)
    error = (net.decode(latent) - frames).square().mean() / frames.var()
    assert error < 0.01
    assert latent.mean((0, 2, 3)).abs().max() < 0.05
    assert (latent.std((0, 2, 3)) - 1).abs().max() < 0.05


def test_bytes_become_numbers_around_zero() -> None:
    assert torch.equal(to_unit(torch.tensor([0, 255], dtype=torch.uint8)), torch.tensor([-1.0, 1.0]))


# --- memory -----------------------------------------------------------------------------------------------------


def view(depth: float = 10.0, colour: Tensor | None = None) -> Tensor:
    """A thumbnail 4 72 128 at one depth; columns are shaded from left to right unless a colour is given."""
    shade = torch.linspace(-0.9, 0.9, 128).expand(3, 72, 128) if colour is None else colour.expand(3, 72, 128)
    nearness = float(log_depth(torch.tensor(depth).numpy()))
    return torch.cat([shade, torch.full((1, 72, 128), nearness)])


def pose(**values: float) -> Tensor:
    return torch.from_numpy(Pose(**values).to_array()).float()[None]


def warped(thumb: Tensor, seen_from: Tensor, target: Tensor) -> Tensor:
    """4 72 128: colours, and 1 where they are known."""
    colours, depth = warp(thumb[None], seen_from, target, camera_rays(CPU))
    return torch.cat([colours[0], (depth[0] < torch.inf).float()])


def remembered(views: list[Tensor], worth: tuple[float, ...] = (1.0, 1.0)) -> Tensor:
    """What memory shows an eye at the origin, in the middle of its view, of views to the left and to the right."""
    memory, last = SpatialMemory(1, len(views), CPU), view(400.0)[None]
    for slot, (thumb, yaw) in enumerate(zip(views, (-0.3, 0.3), strict=False)):
        memory.store(torch.tensor([slot]), thumb[None], pose(yaw=yaw), torch.tensor([worth[slot]]), torch.ones(1) > 0)
    return memory.hint(last, pose(), pose())[0, 4:, 26:46, 54:74]


@pytest.mark.parametrize(
    "where", [{}, {"x": 40.0, "y": -7.0, "yaw": 2.0, "pitch": 0.3}, {"x": 3e4, "y": -2e4, "z": 80.0, "yaw": 50.0}]
)
def test_seen_from_its_own_pose_a_view_is_itself(where: dict[str, float]) -> None:
    thumb = torch.cat([torch.rand(3, 72, 128) * 2 - 1, torch.rand(1, 72, 128) * 0.9])
    hint = warped(thumb, pose(**where), pose(**where))
    exact = (hint[:3] - thumb[:3]).abs().amax(0) < 1e-2
    assert hint[3].mean() > 0.995 and exact.float().mean() > 0.98


@pytest.mark.parametrize("turn", [-1.0, 1.0])
def test_a_turn_to_the_right_shifts_the_picture_to_the_left(turn: float) -> None:
    before = Pose()
    after = before
    for _ in range(6):
        after = after.rotated(Action(turn=turn))
    hint = warped(view(400.0), pose(), torch.from_numpy(after.to_array()).float()[None])
    # Where the world that was in the middle is now.
    middle = hint[0, 36]
    column = int((middle.abs() + 10 * (hint[3, 36] == 0)).argmin())
    expected = 64 - math.tan(after.yaw) / TAN_X * 64
    assert abs(column - expected) <= 1.5
    assert (column < 64) == (turn > 0)
    blank = hint[3, 36] == 0
    assert blank[-8:].all() if turn > 0 else blank[:8].all()


def test_looking_up_moves_the_picture_down() -> None:
    rows = torch.linspace(-0.9, 0.9, 72)[:, None].expand(3, 72, 128)
    hint = warped(torch.cat([rows, view()[3:]]), pose(), pose(pitch=0.2))
    row = int((hint[0, :, 64].abs() + 10 * (hint[3, :, 64] == 0)).argmin())
    assert abs(row - (36 + math.tan(0.2) / TAN_Y * 36)) <= 1.5


def test_a_step_forward_magnifies_and_a_step_back_leaves_a_margin() -> None:
    thumb = view(10.0)
    near = warped(thumb, pose(), pose(y=5.0))
    # At half the distance a column stands twice as far from the middle.
    for column in (44, 84):
        moved = 64 + (column - 64) * 2
        assert abs(float(near[0, 36, moved] - thumb[0, 36, column])) < 0.02
    assert near[3].all(), "no gaps between points that have come near"
    far = warped(thumb, pose(), pose(y=-10.0))
    assert far[3, 36, :28].sum() == far[3, 36, 100:].sum() == 0 and far[3, 36, 40:88].all()


def test_the_sky_turns_but_does_not_come_nearer() -> None:
    sky = view(512.0)
    hint = warped(sky, pose(), pose(y=300.0))
    torch.testing.assert_close(hint[:3], sky[:3])


def test_nothing_behind_shines_through_what_has_come_near() -> None:
    trunk, far = torch.tensor(0.8), view(400.0, torch.tensor(-0.8))
    thumb = far.clone()
    thumb[:, 20:52, 60:68] = view(10.0, trunk)[:, 20:52, 60:68]
    near = warped(thumb, pose(), pose(y=5.5))
    inside = near[0, 10:62, 58:70]
    assert near[3, 10:62, 58:70].all() and (inside - trunk).abs().max() < 0.01


def test_the_nearest_view_wins_whatever_the_order() -> None:
    near, far = view(5.0, torch.tensor(0.8)), view(50.0, torch.tensor(-0.8))
    for views in ([near, far], [far, near]):
        assert (remembered(views)[0] - 0.8).abs().max() < 1e-6
    alike = remembered([view(5.0, torch.tensor(0.3)), near])
    assert (alike[0] - 0.3).abs().max() < 1e-6, "of two views about as near, the first"
    unseen = remembered([near, far], worth=(0.0, 1.0))
    assert (unseen[0] + 0.8).abs().max() < 1e-6


def test_a_view_that_was_dreamed_gives_way_to_a_first_one() -> None:
    first, dreamed = view(20.0, torch.tensor(0.5)), view(20.0, torch.tensor(-0.5))
    for views, worth in (([first, dreamed], (1.0, DREAMED)), ([dreamed, first], (DREAMED, 1.0))):
        assert (remembered(views, worth)[0] - 0.5).abs().max() < 1e-6


def test_what_no_view_shows_is_unknown() -> None:
    behind = warped(view(), pose(), pose(yaw=math.pi))
    assert behind.abs().sum() == 0
    assert remembered([view()], worth=(0.0,)).abs().sum() == 0


def test_memory_finds_the_view_that_looks_the_right_way_again() -> None:
    memory = SpatialMemory(1, 8, CPU)
    for slot in range(8):
        looked = pose(yaw=slot * math.pi / 4)
        shade = torch.tensor(slot / 8)
        memory.store(torch.tensor([slot]), view(20.0, shade)[None], looked, torch.ones(1), torch.tensor([True]))
    last = view(20.0, torch.tensor(-1.0))[None]
    for slot in range(8):
        target = pose(yaw=slot * math.pi / 4 + 2 * math.pi)
        newest, older = memory.hint(last, target, target)[0].chunk(2)
        assert older[3].mean() > 0.95
        assert abs(float(older[0, 36, 64]) - slot / 8) < 0.01
        assert (newest[0] + 1).abs().max() < 1e-6, "the last frame is told apart from memory"


def test_memory_has_a_fixed_number_of_slots_and_keeps_worlds_apart() -> None:
    memory = SpatialMemory(2, 3, CPU)
    before = memory.views.shape
    for step in range(10):
        thumb = torch.stack([view(9.0, torch.tensor(step / 10))] * 2)
        memory.store(torch.full((2,), step % 3), thumb, pose().repeat(2, 1), torch.ones(2), torch.tensor([True, False]))
    assert memory.views.shape == before
    assert memory.worth.tolist() == [[1.0] * 3, [0.0] * 3]
    assert memory.views[0, :, 0, 0, 0].tolist() == pytest.approx([0.9, 0.7, 0.8])


def test_thumbnails_are_clamped_into_range() -> None:
    clamped = clamp_thumbnail(10 * torch.randn(1, 4, 72, 128))
    assert clamped[:, :3].abs().max() == 1 and clamped[:, 3].min() == 0 and clamped[:, 3].max() == 1


# --- motion -----------------------------------------------------------------------------------------------------


def test_motion_between_inverts_advance() -> None:
    torch.manual_seed(0)
    before = torch.randn(32, 5, dtype=torch.float64) * 5
    before[:, 4] = 0
    action = torch.rand(32, 6) * 2 - 1
    displacement = torch.randn(32, 3)
    motion = motion_between(before, advance(before, action, displacement))
    torch.testing.assert_close(motion[:, :3], displacement.double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(motion[:, 3:], action[:, 2:4].double(), atol=1e-5, rtol=0)


def test_advance_moves_like_the_camera_does() -> None:
    start, action = Pose(3, 4, 5, 0.7, 0.59), Action(forward=1, turn=-0.5, look=1)
    expected = start.rotated(action).moved(WALK_STEP, -2 * WALK_STEP, 0.5 * WALK_STEP)
    moved = advance(
        torch.from_numpy(start.to_array())[None],
        torch.from_numpy(action.to_array())[None],
        torch.tensor([[1.0, -2.0, 0.5]]),
    )
    torch.testing.assert_close(moved[0], torch.from_numpy(expected.to_array()), atol=1e-6, rtol=0)
    assert moved[0, 4] == PITCH_LIMIT and moved[0, 3] < 0.7


# --- sampler ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 5, 24])
@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_an_exact_predictor_leads_to_the_clean_sample_in_any_number_of_steps(steps: int, shift: float) -> None:
    clean, noise, times = torch.randn(1, 16, 18, 32), seeded_noise(0, 0), []

    def predict(noisy: Tensor, time: Tensor) -> Tensor:
        t = float(time)
        times.append(t)
        torch.testing.assert_close(noisy, t * clean + (1 - t) * noise, atol=1e-4, rtol=0)
        return clean

    *_, end = flow(predict, noise, steps, shift)
    torch.testing.assert_close(end, clean)
    assert len(times) == steps and times[0] == 0 and times == sorted(times) and times[-1] < 1


def test_noise_depends_on_seed_and_frame_alone() -> None:
    torch.manual_seed(5)
    one = seeded_noise(7, 3)
    torch.manual_seed(6)
    assert torch.equal(one, seeded_noise(7, 3))
    others = [seeded_noise(*key) for key in ((7, 4), (8, 3), (3, 7), (-7, 3), (2**64 - 8, 3))]
    assert not any(torch.equal(one, other) for other in others)
    assert abs(float(one.mean())) < 0.05 and abs(float(one.std()) - 1) < 0.05


# --- checkpoints ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tiny_model()
    model.made["motion"] = {"steps": 3}
    return saved(tmp_path / "ck", model)


def test_a_checkpoint_comes_back_as_it_was_up_to_bfloat16(folder: Path) -> None:
    model, loaded = tiny_model(), load_model(folder)
    assert (loaded.config, loaded.world, loaded.made) == (TINY, "landscape", {"motion": {"steps": 3}})
    for name in PARTS:
        for key, value in loaded.part(name).state_dict().items():
            saved = model.part(name).state_dict()[key]
            assert value.dtype == saved.dtype
            assert torch.equal(value, saved.bfloat16().float() if saved.is_floating_point() else saved)
    assert not any(path.suffix == ".tmp" for path in folder.iterdir())


def test_the_hash_tells_weights_apart(folder: Path) -> None:
    first = load_model(folder).hash
    assert first == load_model(folder).hash and first is not None and len(first) == 16
    save_part(folder, tiny_model(seed=1), "weather")
    assert load_model(folder).hash != first


def test_parts_can_be_loaded_before_the_others_exist(folder: Path) -> None:
    (folder / "dynamics.safetensors").unlink()
    assert load_model(folder, ("autoencoder", "motion")).config == TINY


def damage_config(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        stored = json.loads((folder / "config.json").read_text())
        change(stored)
        (folder / "config.json").write_text(json.dumps(stored))

    return apply


def truncate(folder: Path) -> None:
    path = folder / "dynamics.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no config": lambda f: (f / "config.json").unlink(),
    "config is no JSON": lambda f: (f / "config.json").write_text("{"),
    "config is a list": lambda f: (f / "config.json").write_text("[]"),
    "config is bytes": lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"),
    "foreign format": damage_config(lambda c: c.update(format="another program 7")),
    "unknown key": damage_config(lambda c: c["config"].update(wings=2)),
    "unknown inner key": damage_config(lambda c: c["config"]["dynamics"].update(wings=2)),
    "missing key": damage_config(lambda c: c["config"]["dynamics"].pop("embedding")),
    "missing section": damage_config(lambda c: c.pop("config")),
    "text for a number": damage_config(lambda c: c["config"]["dynamics"].update(embedding="wide")),
    "number for a section": damage_config(lambda c: c["config"].update(dynamics=3)),
    "negative width": damage_config(lambda c: c["config"]["dynamics"].update(embedding=-4)),
    "other shapes": damage_config(lambda c: c["config"]["dynamics"].update(embedding=24)),
    "missing part": lambda f: (f / "dynamics.safetensors").unlink(),
    "empty part": lambda f: (f / "dynamics.safetensors").write_bytes(b""),
    "truncated part": truncate,
    "corrupt part": lambda f: (f / "dynamics.safetensors").write_bytes(b"\x93" * 4096),
    "foreign part": lambda f: save_file({"weight": torch.zeros(3)}, f / "dynamics.safetensors"),
    "swapped part": lambda f: (f / "dynamics.safetensors").write_bytes((f / "motion.safetensors").read_bytes()),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_checkpoint_that_cannot_be_used_is_one_line(kind: str, folder: Path) -> None:
    DAMAGE[kind](folder)
    with pytest.raises(CheckpointError) as caught:
        load_model(folder)
    said = str(caught.value)
    assert said.count("\n") == 0 and str(folder) in said and len(said) < 1000


def test_a_checkpoint_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        save_part(tmp_path / "file" / "ck", tiny_model(), "motion")
