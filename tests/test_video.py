from pathlib import Path

import av
import numpy as np
import pytest

from genie_lite.errors import OutputError
from genie_lite.recording.video import VideoWriter


def colours(count: int, height: int = 72, width: int = 128) -> list[np.ndarray]:
    return [np.full((height, width, 3), (20 * i, 120, 255 - 20 * i), np.uint8) for i in range(count)]


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_what_was_written_can_be_watched(tmp_path: Path) -> None:
    path, images = tmp_path / "video.mp4", colours(12)
    with VideoWriter(path) as video:
        for image in images:
            video.write(image)
    shown = decoded(path)
    assert len(shown) == 12
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(shown, images, strict=True)) < 6
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 24 and stream.codec_context.pix_fmt == "yuv420p"


def test_a_video_cut_short_is_still_playable(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    with VideoWriter(path) as video:
        for image in colours(12) * 20:
            video.write(image)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    assert len(decoded(path)) > 40


def test_a_small_film_shows_the_same_in_fewer_bytes(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    coarse = chance.integers(0, 256, (24, 9, 16, 3), np.uint8)
    for name, small in (("usual.mp4", False), ("small.mp4", True)):
        with VideoWriter(tmp_path / name, small=small) as video:
            for image in coarse.repeat(8, 1).repeat(8, 2):
                video.write(image)
    usual, small_one = (decoded(tmp_path / name) for name in ("usual.mp4", "small.mp4"))
    assert len(usual) == len(small_one) == 24
    assert np.abs(usual[9].astype(int) - small_one[9]).mean() < 8
    assert (tmp_path / "small.mp4").stat().st_size < 0.9 * (tmp_path / "usual.mp4").stat().st_size


def test_odd_sizes_lose_a_row_or_column(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    with VideoWriter(path) as video:
        video.write(colours(1, 73, 129)[0])
    assert decoded(path)[0].shape == (72, 128, 3)


def test_a_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="--out"):
        VideoWriter(tmp_path / "nowhere" / "video.mp4")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.symlink_to("/dev/full")
    noise = np.random.default_rng(0).integers(0, 256, (60, 144, 256, 3), np.uint8)
    with pytest.raises(OutputError, match="No space left"), VideoWriter(path) as video:
        for image in noise:
            video.write(image)


def test_without_h264_another_codec_is_used_and_without_any_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with VideoWriter(tmp_path / "old.mp4") as video:
        video.write(colours(1)[0])
    with av.open(str(tmp_path / "old.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
    monkeypatch.setattr(av, "codecs_available", set())
    with pytest.raises(OutputError, match="no video encoder"):
        VideoWriter(tmp_path / "none.mp4")
