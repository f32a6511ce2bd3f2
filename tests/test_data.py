"""Episodes on disk, policies and collection; all but one test with the counting world, which needs no OpenGL."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import genie_lite.worlds
from genie_lite.camera import FAR, NEAR
from genie_lite.data.collect import SPLIT_SEEDS, Options, collect
from genie_lite.data.episodes import (
    SPLITS,
    Episode,
    compact_depth,
    episode_path,
    list_episodes,
    nearest,
    read_episode,
    write_episode,
)
from genie_lite.data.policies import random_conditions
from genie_lite.data.record import record_episode
from genie_lite.errors import DataError, OutputError, RenderError, UsageError
from genie_lite.worlds import make_world
from genie_lite.worlds.counting import CountingWorld


def make_episode(length: int = 2, pictures: int = 0, seed: int = 3, split: str = "train") -> Episode:
    rng = np.random.default_rng(seed)
    return Episode(
        frames=rng.integers(0, 256, (length, 144, 256, 3), np.uint8),
        depth=rng.random((length, 72, 128)).astype(np.float16),
        poses=rng.normal(0, 100, (length, 5)).astype(np.float32),
        actions=rng.uniform(-1, 1, (length, 6)).astype(np.float32),
        conditions=rng.random((length, 18), np.float32),
        pictures=rng.integers(0, 256, (pictures, 720, 1280, 3), np.uint8),
        picture_index=np.arange(pictures, dtype=np.int64),
        world="counting",
        seed=seed,
        split=split,
        policy="keys",
        recipe="by hand",
    )


def same(one: Episode, other: Episode) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(Episode))


def options(folder: Path, **others: Any) -> Options:
    return replace(Options(world="counting", out=folder, episodes=3, steps=12, pictures=1), **others)


# --- the file ---------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(0, 1), st.integers(0, 2**40), st.sampled_from(SPLITS))
def test_a_written_episode_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, length: int, pictures: int, seed: int, split: str
) -> None:
    path = tmp_path_factory.mktemp("episodes") / "new" / "0.safetensors"
    episode = make_episode(length, pictures, seed, split)
    write_episode(path, episode)
    assert same(read_episode(path), episode)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_reading_maps_the_file_instead_of_loading_it(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    write_episode(path, make_episode())
    before, frames = path.read_bytes(), read_episode(path).frames
    assert not frames.flags.owndata
    frames[:] = 0
    assert path.read_bytes() == before


def test_a_torn_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    write_episode(whole, make_episode())
    data = whole.read_bytes()
    for cut in [0, 1, 7, 8, 9, 100, 500, 900, *range(1500, len(data), 50_000), len(data) - 1]:
        torn.write_bytes(data[:cut])
        with pytest.raises(DataError) as caught:
            read_episode(torn)
        assert "\n" not in str(caught.value)
    torn.write_bytes(data + b"more")
    with pytest.raises(DataError, match="after its end"):
        read_episode(torn)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_never_gives_another_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    write_episode(path, make_episode(1))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, 900))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        read_episode(path)
    except DataError as error:
        assert "\n" not in str(error)


def test_foreign_files_other_versions_and_missing_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    write_episode(path, make_episode())
    tensors = load_file(path)
    about = {"world": "counting", "seed": 3, "split": "train", "policy": "keys", "recipe": "", "fps": 24}

    def refuses(tensors: dict[str, np.ndarray], metadata: dict[str, str] | None) -> str:
        save_file(tensors, path, metadata=metadata)
        with pytest.raises(DataError) as caught:
            read_episode(path)
        return str(caught.value)

    good = {"episode": json.dumps({"version": 1} | about)}
    save_file(tensors, path, metadata=good)
    read_episode(path)
    assert "version" in refuses(tensors, {"episode": json.dumps({"version": 2} | about)})
    refuses(tensors, {"episode": "not json"})
    refuses(tensors, {"episode": json.dumps({"version": 1} | about | {"split": "holiday"})})
    refuses(tensors, {"episode": json.dumps({"version": 1} | about | {"seed": "3"})})
    refuses(tensors, {"episode": json.dumps({"version": 1, "world": "counting"})})
    refuses(tensors, None)
    refuses({"weights": np.zeros(3, np.float32)}, good)
    assert "poses" in refuses(tensors | {"poses": tensors["poses"][:1]}, good)
    assert "depth" in refuses(tensors | {"depth": tensors["depth"].astype(np.float32)}, good)
    assert "frames" in refuses(tensors | {"frames": tensors["frames"][:, :, :-1].copy()}, good)
    with pytest.raises(DataError, match="could not read"):
        read_episode(tmp_path / "none.safetensors")


def test_an_episode_that_makes_no_sense_cannot_be_built() -> None:
    good = make_episode(2, 1)
    bad: dict[str, Any] = {
        "actions": good.actions * 10,
        "poses": np.full_like(good.poses, np.nan),
        "picture_index": np.array([2]),
        "frames": good.frames[:1],
        "pictures": good.pictures[:0],
        "split": "holiday",
    }
    for name, wrong in bad.items():
        with pytest.raises(DataError):
            replace(good, **{name: wrong})


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="free space"):
            write_episode(tmp_path / "0.safetensors", make_episode())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_depth_keeps_the_nearest() -> None:
    depth = np.full((144, 256), FAR, np.float32)
    depth[5, 9] = NEAR
    small = compact_depth(nearest(depth))
    assert small.dtype == np.float16
    assert small[2, 4] == 0.0
    assert (small == 1.0).sum() == 72 * 128 - 1


def test_episodes_are_listed_by_seed_and_split(tmp_path: Path) -> None:
    for seed in (12, 3):
        write_episode(episode_path(tmp_path, "train", seed), make_episode(1, seed=seed))
    (tmp_path / "train" / ".0000001.safetensors.9.tmp").write_bytes(b"draft")
    assert [read_episode(p).seed for p in list_episodes(tmp_path, "train")] == [3, 12]
    with pytest.raises(DataError, match="collect"):
        list_episodes(tmp_path, "test")
    with pytest.raises(DataError, match="unknown split"):
        list_episodes(tmp_path, "holiday")


# --- collection -------------------------------------------------------------------------------------------------


def test_a_recorded_episode_holds_what_the_world_said(tmp_path: Path) -> None:
    episode = record_episode(CountingWorld(), "counting", "train", seed=7, steps=40, pictures=3)
    write_episode(tmp_path / "e", episode)
    episode = read_episode(tmp_path / "e")
    assert episode.frames[:, 0, 0, 0].tolist() == list(range(40))
    assert episode.frames[:, 0, 0, 2].tolist() == [7] * 40
    assert len(set(episode.picture_index.tolist())) == 3
    assert np.array_equal(episode.pictures[:, 0, 0], episode.frames[episode.picture_index, 0, 0])
    world = CountingWorld()
    _, info = world.reset(seed=7)
    for t, action in enumerate(episode.actions):
        assert np.allclose(episode.poses[t], info["pose"].to_array(), atol=1e-4)
        info = world.step(action)[4]


def test_the_result_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    collect(options(tmp_path / "one"), progress=False)
    collect(options(tmp_path / "two", workers=2), progress=False)
    by_one, by_two = (list_episodes(tmp_path / name, "train") for name in ("one", "two"))
    for one, two in zip(by_one, by_two, strict=True):
        assert one.name == two.name
        assert one.read_bytes() == two.read_bytes()


def test_splits_never_share_a_seed_and_later_parts_extend_a_split(tmp_path: Path) -> None:
    largest = [set(Options(split=split, episodes=1_000_000).seeds) for split in SPLIT_SEEDS]
    assert sum(map(len, largest)) == len(set.union(*largest))
    for split in SPLIT_SEEDS:
        collect(options(tmp_path, split=split, episodes=1), progress=False)
    assert len({read_episode(list_episodes(tmp_path, split)[0]).seed for split in SPLITS}) == 3
    collect(options(tmp_path, episodes=2, seed=1), progress=False)
    assert len(list_episodes(tmp_path, "train")) == 3


def test_a_stopped_collection_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    collect(options(tmp_path), progress=False)
    paths = list_episodes(tmp_path, "train")
    before = [path.read_bytes() for path in paths]
    paths[0].unlink()
    paths[1].write_bytes(before[1][:5000])
    draft = paths[0].with_name(f".{paths[0].name}.77.tmp")
    draft.write_bytes(b"half")
    kept = paths[2].stat().st_mtime_ns
    done = collect(options(tmp_path), progress=False)
    assert (done.episodes, done.kept) == (2, 1)
    assert [path.read_bytes() for path in paths] == before
    assert paths[2].stat().st_mtime_ns == kept
    assert not draft.exists()


def test_a_killed_collection_loses_only_the_episode_at_work(tmp_path: Path) -> None:
    code = "from pathlib import Path; from genie_lite.data.collect import *; "
    code += f"collect(Options(world='counting', out=Path({str(tmp_path)!r}), episodes=500, steps=40), progress=False)"
    process = subprocess.Popen([sys.executable, "-c", code])
    while process.poll() is None and len(list(tmp_path.glob("train/[0-9]*"))) < 3:
        time.sleep(0.01)
    process.kill()
    process.wait()
    there = len(list_episodes(tmp_path, "train"))
    assert 3 <= there < 500
    done = collect(options(tmp_path, steps=40, pictures=2, episodes=there + 1), progress=False)
    assert (done.kept, done.episodes) == (there, 1)
    assert all(not p.name.endswith(".tmp") for p in (tmp_path / "train").iterdir())


def test_a_folder_of_another_collection_is_left_alone(tmp_path: Path) -> None:
    collect(options(tmp_path), progress=False)
    with pytest.raises(DataError, match="another --out"):
        collect(options(tmp_path, steps=13), progress=False)


class BreakingWorld(CountingWorld):
    """Fails in one episode, on its way."""

    def step(self, action: np.ndarray) -> tuple:
        if self._seed == 1 and self._count == 3:
            raise ZeroDivisionError("the sky fell")
        return super().step(action)


def test_one_failing_episode_does_not_cost_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(genie_lite.worlds.WORLDS, "breaking", (__name__, "BreakingWorld"))
    with pytest.raises(DataError, match=r"1 of 3 episodes failed.*the sky fell"):
        collect(options(tmp_path, world="breaking"), progress=False)
    assert [read_episode(p).seed for p in list_episodes(tmp_path, "train")] == [0, 2]


def test_what_cannot_work_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown world"):
        collect(options(tmp_path, world="atlantis"), progress=False)
    for wrong in ({"episodes": 0}, {"workers": 0}, {"split": "holiday"}, {"seed": 999_999}, {"steps": 1}):
        with pytest.raises(UsageError):
            options(tmp_path, **wrong)
    (tmp_path / "train").write_text("a file where a folder should be")
    with pytest.raises(OutputError):
        collect(options(tmp_path), progress=False)


def test_a_landscape_episode_is_its_seed_whatever_came_before_it(tmp_path: Path) -> None:
    try:
        make_world("landscape").close()
    except RenderError as error:
        pytest.skip(f"no OpenGL for the landscape: {error}")
    small = options(tmp_path, world="landscape", episodes=2, steps=6)
    collect(small, progress=False)
    collect(replace(small, out=tmp_path / "alone", episodes=1, seed=1), progress=False)
    after, alone = list_episodes(tmp_path, "train")[1], list_episodes(tmp_path / "alone", "train")[0]
    assert after.read_bytes() == alone.read_bytes()
    episode = read_episode(after)
    assert episode.frames.std() > 5
    assert np.ptp(episode.depth) > 0.1


def test_random_conditions_are_valid_and_differ() -> None:
    rng = np.random.default_rng(0)
    drawn = [random_conditions(rng) for _ in range(50)]
    assert len({c.hour for c in drawn}) == 50
    assert len({int(np.argmax(c.biomes)) for c in drawn}) == 8
