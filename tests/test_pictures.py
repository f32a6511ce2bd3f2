"""Picture files of every kind: the honest become an upright RGB start frame, the hostile one clear line."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from genie_lite import pictures
from genie_lite.errors import ImageError
from genie_lite.pictures import crop_box, framed, packed, picture_from, read_picture


def file_of(image: Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def striped(width: int = 120, height: int = 80) -> Image.Image:
    """Red above, blue below."""
    image = Image.new("RGB", (width, height), (220, 20, 20))
    image.paste((20, 20, 220), (0, height // 2, width, height))
    return image


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_common_kinds_are_read(kind: str) -> None:
    picture = picture_from(file_of(striped(), kind), "a")
    assert picture.shape == (80, 120, 3) and picture.dtype == np.uint8
    assert picture[:30, :, 0].mean() > 180 and picture[50:, :, 2].mean() > 180


def test_the_name_does_not_matter_but_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(file_of(striped(), "JPEG"))
    assert read_picture(tmp_path / "a.txt").shape == (80, 120, 3)


def test_exif_turns_it_upright() -> None:
    image = striped()
    exif = image.getexif()
    exif[0x0112] = 3
    picture = picture_from(file_of(image, "JPEG", exif=exif), "a")
    assert picture[:30, :, 2].mean() > 180, "blue is above now"


def test_transparent_parts_take_the_mean_of_the_rest() -> None:
    image = striped().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    image.paste((200, 100, 0, 255), (0, 0, 60, 80))
    assert picture_from(file_of(image), "a")[10, 100].tolist() == [200, 100, 0]
    nothing = Image.new("RGBA", (80, 80), (255, 255, 255, 0))
    assert picture_from(file_of(nothing, "WEBP", lossless=True), "a").mean() == 128


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "CMYK", "I;16"])
def test_other_kinds_of_colour_become_rgb(mode: str) -> None:
    if mode == "I;16":
        grey = np.full((80, 120), 257 * 90, np.uint16)
        data = file_of(Image.fromarray(grey))
    else:
        data = file_of(striped().convert(mode), "JPEG" if mode == "CMYK" else "PNG")
    picture = picture_from(data, "a")
    assert picture.shape == (80, 120, 3) and picture.dtype == np.uint8
    if mode == "I;16":
        assert (picture == 90).all()


def test_the_first_picture_of_an_animation_is_taken() -> None:
    frames = [striped(), Image.new("RGB", (120, 80), "white")]
    data = file_of(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert picture_from(data, "a")[10, 10].tolist() == [220, 20, 20]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that claims so many pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")


HOSTILE = {
    "empty": b"",
    "text": b"just words",
    "a bomb": bomb(60_000, 60_000),
    "a wide bomb": bomb(2**31 - 1, 100),
    "less than it claims": bomb(3000, 3000),
    "truncated": file_of(striped())[:-40],
    "truncated jpeg": file_of(striped(), "JPEG")[:500],
    "truncated webp": file_of(striped(), "WEBP")[:-60],
    "one pixel": file_of(Image.new("RGB", (1, 1))),
    "a line": file_of(Image.new("RGB", (5000, 2))),
    "another kind": file_of(striped(), "TIFF"),
    "a program": b"MZ" + bytes(200),
    "control characters": b"\x89PNG\r\n\x1a\n\x1b[31m" + bytes(40),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(ImageError) as caught:
        read_picture(path)
    said = str(caught.value)
    assert "photo.jpg" in said and "PNG, JPEG or WebP" in said and said.isprintable() and len(said) < 300


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_damage_is_a_picture_or_one_line(data: st.DataObject) -> None:
    file = bytearray(file_of(striped(), data.draw(st.sampled_from(["PNG", "JPEG", "WEBP"]))))
    for _ in range(data.draw(st.integers(1, 8))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = picture_from(bytes(file), "a")
    except ImageError as error:
        assert str(error).isprintable()
    else:
        assert picture.ndim == 3 and picture.dtype == np.uint8


def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path, told in (
        (tmp_path, "no file"),
        (tmp_path / "pipe.png", "no file"),
        (tmp_path / "gone.png", "no picture"),
    ):
        with pytest.raises(ImageError, match=told):
            read_picture(path)


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST_FILE", 2000)
    (tmp_path / "a.png").write_bytes(bytes(5000))
    with pytest.raises(ImageError, match="more than"):
        read_picture(tmp_path / "a.png")


@given(st.integers(64, 3000), st.integers(64, 3000))
@settings(max_examples=100, deadline=None)
def test_the_frame_is_the_largest_of_16_to_9_in_the_middle(width: int, height: int) -> None:
    left, top, right, bottom = crop_box(width, height)
    assert (right - left) / (bottom - top) == pytest.approx(16 / 9)
    assert left == pytest.approx(width - right) and top == pytest.approx(height - bottom) and min(left, top) >= 0
    assert left == pytest.approx(0) or top == pytest.approx(0)


@pytest.mark.parametrize(
    ("size", "wanted"), [((64, 64), (144, 256)), ((900, 2000), (504, 896)), ((5000, 800), (720, 1280))]
)
def test_a_frame_is_neither_tiny_nor_huge(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    picture = framed(np.zeros((size[1], size[0], 3), np.uint8))
    assert picture.shape == (*wanted, 3)
    assert Image.open(io.BytesIO(packed(picture))).size == (wanted[1], wanted[0])
