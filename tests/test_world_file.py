"""Worlds as files: what is written is read, and whatever else a file holds is refused in one line."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from some_worlds import LAKE, PHOTO, SHIPPED, any_conditions, picture_file, written

from genie_lite.conditions import BIOMES, biome
from genie_lite.errors import UsageError, WorldFileError
from genie_lite.pictures import packed
from genie_lite.prompt.parser import parse
from genie_lite.world_file import (
    LARGEST_FILE,
    LARGEST_SEED,
    LONGEST_NAME,
    LONGEST_PROMPT,
    SUFFIX,
    WorldFile,
    read_world,
    write_world,
)

texts = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40)


@st.composite
def any_world(draw: st.DrawFn) -> WorldFile:
    conditions = draw(st.none() | any_conditions())
    return WorldFile(
        name=draw(texts),
        seed=draw(st.integers(0, LARGEST_SEED)),
        prompt=draw(st.none() | texts),
        conditions=conditions,
        picture=draw(st.sampled_from([PHOTO.picture, picture_file("JPEG")])) if conditions is None else None,
        checkpoint=draw(st.none() | st.from_regex("[0-9a-f]{16}", fullmatch=True)),
    )


def edited(folder: Path, **changes: Any) -> Path:
    """A file of LAKE with some entries changed; ... takes one away."""
    path = written(folder, LAKE)
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in values.items() if value is not ...}))
    return path


@given(world=any_world())
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(world: WorldFile, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("world") / f"a{SUFFIX}"
    write_world(path, world)
    assert read_world(path) == world
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("world", [LAKE, PHOTO], ids=lambda world: world.name)
def test_a_file_cut_anywhere_is_refused(world: WorldFile, tmp_path: Path) -> None:
    path = written(tmp_path, world)
    data = path.read_bytes()
    for end in range(0, len(data) - 1, 1 if world is LAKE else 101):
        path.write_bytes(data[:end])
        with pytest.raises(WorldFileError):
            read_world(path)


@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), world=st.sampled_from([LAKE, PHOTO]))
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_gives_a_world_or_one_line(
    at: float, byte: int, world: WorldFile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = written(tmp_path_factory.mktemp("world"), world)
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] = byte
    path.write_bytes(data)
    try:
        assert isinstance(read_world(path), WorldFile)
    except WorldFileError as error:
        assert str(error).isprintable() and path.name in str(error)


@given(junk=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_junk_is_refused(junk: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("world") / f"a{SUFFIX}"
    path.write_bytes(junk)
    with pytest.raises(WorldFileError):
        read_world(path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": "genie_lite recording"}, "does not say"),
        ({"version": 2}, "version 2"),
        ({"version": True}, "version True"),
        ({"name": ...}, "lacks 'name'"),
        ({"music": "loud"}, "unknown entry 'music'"),
        ({"name": 5}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\x1b[31m"}, "name"),
        ({"name": "a" * (LONGEST_NAME + 1)}, "name"),
        ({"prompt": "a" * (LONGEST_PROMPT + 1)}, "prompt"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 1.0}, "seed 1.0"),
        ({"seed": True}, "seed True"),
        ({"seed": 2**70}, "seed"),
        ({"checkpoint": "../weights"}, "checkpoint"),
        ({"checkpoint": 1}, "checkpoint"),
        ({"conditions": None}, "either"),
        ({"conditions": [1]}, "conditions"),
        ({"conditions": {}}, "lacks"),
        ({"conditions": LAKE.conditions.to_dict() | {"fog": 1.5}}, "fog"),
        ({"conditions": LAKE.conditions.to_dict() | {"fog": 10**400}}, "fog"),
        ({"conditions": LAKE.conditions.to_dict() | {"fog": float("nan")}}, "NaN"),
        ({"conditions": LAKE.conditions.to_dict() | {"fog": float("inf")}}, "Infinity"),
        ({"conditions": LAKE.conditions.to_dict() | {"fog": "0.5"}}, "fog"),
        ({"conditions": LAKE.conditions.to_dict() | {"fog": True}}, "fog"),
        ({"conditions": LAKE.conditions.to_dict() | {"hour": 24}}, "hour"),
        ({"conditions": LAKE.conditions.to_dict() | {"snow": 1}}, "sum"),
        ({"conditions": LAKE.conditions.to_dict() | {"sand": 1}}, "sand"),
        ({"picture": base64.b64encode(picture_file()).decode()}, "either"),
    ],
)
def test_an_edited_file_is_refused_in_one_line(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    path = edited(tmp_path, **changes)
    with pytest.raises(WorldFileError, match=f"{path.name} is no world that can be opened .*{told}") as caught:
        read_world(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "picture",
    [
        b"",
        b"no picture",
        picture_file()[:-40],
        picture_file("JPEG")[:-400],
        picture_file("GIF"),
        picture_file(size=(96, 63)),
        picture_file(size=(2049, 64)),
    ],
    ids=["empty", "text", "half a PNG", "half a JPEG", "a GIF", "small", "large"],
)
def test_a_picture_that_is_none_is_refused(picture: bytes, tmp_path: Path) -> None:
    path = edited(tmp_path, conditions=None, picture=base64.b64encode(picture).decode())
    with pytest.raises(WorldFileError, match=r"its picture cannot be used .* PNG or JPEG"):
        read_world(path)


@pytest.mark.parametrize("picture", [5, "no base64", "ä"])
def test_a_picture_that_is_not_in_base64_is_refused(picture: object, tmp_path: Path) -> None:
    with pytest.raises(WorldFileError, match="opened"):
        read_world(edited(tmp_path, conditions=None, picture=picture))


def test_a_decompression_bomb_is_not_unpacked(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("1", (20000, 20000)).save(file, "PNG")
    assert len(file.getvalue()) < 100_000
    path = edited(tmp_path, conditions=None, picture=base64.b64encode(file.getvalue()).decode())
    with pytest.raises(WorldFileError, match="picture cannot be used"):
        read_world(path)


def test_what_says_something_twice_nests_deeply_or_is_too_large_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, LAKE)
    whole = path.read_text()
    for text, told in (
        (whole.replace('"seed": 7', '"seed": 7, "seed": 8'), "twice"),
        ("[" * 100_000, "opened"),
        (whole + " " * LARGEST_FILE, "4 MB"),
    ):
        path.write_text(text)
        with pytest.raises(WorldFileError, match=told):
            read_world(path)
    path.write_bytes(whole.encode("utf-16"))
    with pytest.raises(WorldFileError, match="utf-8"):
        read_world(path)


def test_a_missing_file_and_a_folder_are_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(WorldFileError, match="worlds list"):
            read_world(path)


def test_a_start_is_conditions_or_a_picture() -> None:
    assert WorldFile("Snow", 1, conditions=biome("snow")).start() == biome("snow")
    pixels = WorldFile("Noise", 1, picture=packed(np.zeros((90, 160, 3), np.uint8))).start()
    assert isinstance(pixels, np.ndarray) and pixels.shape == (144, 256, 3)
    with pytest.raises(UsageError, match="either"):
        WorldFile("Nothing", 1)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_world_opens_and_is_what_its_words_say(path: Path) -> None:
    world = read_world(path)
    assert world.prompt is not None and world.checkpoint is None
    reading = parse(world.prompt)
    assert reading.conditions == world.conditions and not reading.not_understood


def test_they_are_many_and_varied() -> None:
    found = [world.conditions for world in map(read_world, SHIPPED) if world.conditions]
    assert len(found) >= 12 and len({world.hour for world in found}) >= 8
    assert all(any(getattr(world, name) >= 0.4 for world in found) for name in BIOMES)
    assert all(any(getattr(world, name) >= 0.3 for world in found) for name in ("fog", "rain", "snowfall"))
    assert any(world.clouds < 0.1 for world in found) and any(world.clouds > 0.6 for world in found)
