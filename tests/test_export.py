import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from walks import SIZE, Interrupted, recorded

from genie_lite.commands.episode import export_episode
from genie_lite.data.episodes import read_episode
from genie_lite.engine.fake import FakeEngine
from genie_lite.errors import OutputError, RecordingError, UsageError
from genie_lite.recording.export import export
from genie_lite.recording.reader import read_log
from genie_lite.recording.replay import drive
from genie_lite.recording.video import LiveVideo, read_video

needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason='needs pyarrow: pip install "genie_lite[export]"'
)
KINDS = ["mp4", "gif", "webp", "frames", pytest.param("dataset", marks=needs_pyarrow)]


def test_exports_show_every_frame(tmp_path: Path) -> None:
    log = read_log(recorded(tmp_path / "a"))
    for kind in ("mp4", "gif", "webp", "frames"):
        export(log, kind, tmp_path / f"out.{kind}")
    assert len(list(read_video(tmp_path / "out.mp4"))) == 13
    with Image.open(tmp_path / "out.webp") as moving:
        assert moving.n_frames > 1 and moving.size == SIZE
    with Image.open(tmp_path / "out.gif") as moving:
        assert moving.n_frames > 1
    assert len(list((tmp_path / "out.frames").glob("frame-*.png"))) == 13
    with pytest.raises(OutputError, match="exists already"):
        export(log, "gif", tmp_path / "out.gif")


def test_frames_drawn_anew_are_exact(tmp_path: Path) -> None:
    log = read_log(recorded(tmp_path / "a"))
    export(log, "frames", tmp_path / "out", FakeEngine(SIZE))
    truth = list(drive(log, FakeEngine(SIZE)))
    with Image.open(tmp_path / "out" / "frame-00009.png") as image:
        np.testing.assert_array_equal(np.asarray(image), truth[9].image)


def test_a_frame_that_the_video_lacks_is_bridged_by_the_one_before(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "a")
    (folder / "video.mp4").unlink()
    video = LiveVideo(folder / "video.mp4")
    for index in (0, 1, 5):
        video.offer(np.full((144, 256, 3), 40 * index, np.uint8), index)
    video.finish()
    video.join()
    export(read_log(folder), "frames", tmp_path / "out")
    shades = [int(np.asarray(Image.open(path)).mean()) for path in sorted((tmp_path / "out").iterdir())]
    assert len(shades) == 13 and max(shades[1:5]) < 60 < min(shades[5:])


def test_a_recording_without_a_video_says_how_to_go_on(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "a")
    (folder / "video.mp4").write_bytes(b"no video")
    with pytest.raises(RecordingError, match="--redraw"):
        export(read_log(folder), "mp4", tmp_path / "out.mp4")
    log = read_log(folder)
    with pytest.raises(RecordingError, match="--redraw"):
        export(replace(log, header=replace(log.header, video_from=13)), "gif", tmp_path / "out.gif")


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_that_finds_no_picture_leaves_nothing_and_its_advice_can_be_followed(
    kind: str, tmp_path: Path
) -> None:
    folder, out = recorded(tmp_path / "a"), tmp_path / "out"
    whole = (folder / "video.mp4").read_bytes()
    for damaged in (b"no video", whole[: whole.index(b"moof") - 4]):
        (folder / "video.mp4").write_bytes(damaged)
        with pytest.raises(RecordingError, match="--redraw"):
            export(read_log(folder), kind, out)
        assert not out.exists()
    export(read_log(folder), kind, out, FakeEngine(SIZE))
    assert out.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_export_leaves_nothing(kind: str, tmp_path: Path) -> None:
    log, out = read_log(recorded(tmp_path / "a")), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        export(log, kind, out, Interrupted())
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    export(log, kind, out, FakeEngine(SIZE))
    assert out.exists()


@needs_pyarrow
def test_an_interrupted_export_leaves_a_data_set_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "set"
    export(read_log(recorded(tmp_path / "a")), "dataset", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        export(read_log(recorded(tmp_path / "b")), "dataset", out, Interrupted())
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(("kind", "form"), [("gif", "GIF"), ("webp", "WEBP")])
def test_a_moving_picture_may_have_any_name(kind: str, form: str, tmp_path: Path) -> None:
    log = read_log(recorded(tmp_path / "a"))
    for name in ("walk", "walk.xyz"):
        export(log, kind, tmp_path / name)
        with Image.open(tmp_path / name) as moving:
            assert moving.format == form and moving.n_frames > 1


def test_a_name_that_ends_like_another_kind_is_refused(tmp_path: Path) -> None:
    log = read_log(recorded(tmp_path / "a"))
    for kind, name, told in (("webp", "a.mp4", "--to mp4"), ("mp4", "a.GIF", "--to gif"), ("frames", "a.webp", "webp")):
        with pytest.raises(UsageError, match=told):
            export(log, kind, tmp_path / name)
        assert not (tmp_path / name).exists()


def test_a_data_set_has_a_row_for_each_recording(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason='needs pyarrow: pip install "genie_lite[export]"')
    for name in ("a", "b"):
        export(read_log(recorded(tmp_path / name)), "dataset", tmp_path / "set")
    rows = parquet.read_table(tmp_path / "set" / "metadata.parquet").to_pylist()
    assert [row["file_name"] for row in rows] == ["a.mp4", "b.mp4"]
    assert all(len(rows[0][name]) == 13 for name in ("actions", "poses", "conditions", "coherence"))
    assert rows[0]["actions"][0] == [1, 0, 0.25, 0, 0, 1] and rows[0]["actions"][-1] == [0] * 6
    with av.open(str(tmp_path / "set" / "a.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 13


def test_a_folder_that_holds_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason='needs pyarrow: pip install "genie_lite[export]"')
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "metadata.parquet").write_bytes(b"something else")
    with pytest.raises(OutputError, match="another folder"):
        export(read_log(recorded(tmp_path / "a")), "dataset", tmp_path / "set")
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["metadata.parquet"]


def test_without_pyarrow_a_data_set_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match="genie_lite\\[export\\]"):
        export(read_log(recorded(tmp_path / "a")), "dataset", tmp_path / "set")


def test_the_data_set_opens_in_hugging_face_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets", reason='needs datasets: pip install "genie_lite[export]"')
    export(read_log(recorded(tmp_path / "a")), "dataset", tmp_path / "set")
    rows = datasets.load_dataset(
        "videofolder", data_dir=str(tmp_path / "set"), split="train", cache_dir=str(tmp_path / "cache")
    )
    row = rows.cast_column("video", datasets.Video(decode=False))[0]
    assert row["video"]["path"].endswith("a.mp4") and len(row["actions"]) == 13 and row["world"] == "fake"


def test_a_recording_becomes_a_training_episode(tmp_path: Path) -> None:
    log = read_log(recorded(tmp_path / "a"))
    export_episode(log, FakeEngine(SIZE), tmp_path / "episode.safetensors")
    episode = read_episode(tmp_path / "episode.safetensors")
    truth = list(drive(log, FakeEngine(SIZE)))
    assert len(episode) == 13 and episode.seed == 11 and not episode.actions[-1].any()
    np.testing.assert_array_equal(episode.frames[4], truth[4].image)
    taken = log.steps[4].action
    assert taken is not None
    np.testing.assert_array_equal(episode.actions[3], taken.to_array())
