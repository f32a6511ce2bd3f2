import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from lightly import run_lightly
from PIL import Image

from genie_lite import __version__
from genie_lite.actions import Action
from genie_lite.cli import COMMANDS, main
from genie_lite.commands import play
from genie_lite.commands.visit import VisitOptions, visit
from genie_lite.conditions import biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import Engine, Frame
from genie_lite.errors import OutputError
from genie_lite.recording.report import frame_hash

SIZE = (256, 144)


def fake() -> Engine:
    return FakeEngine(SIZE)


def off_screen(out: Path, **flags: object) -> VisitOptions:
    return replace(VisitOptions(off_screen=True, seed=4, out=out), **flags)


def frames_in(video: Path) -> int:
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit status and what was said on stderr, which must be one line."""
    status = main(words)
    said = capsys.readouterr().err
    assert said.startswith("genie-lite: ") and said.count("\n") == 1, said
    return status, said


def test_help_lists_the_subcommands_without_loading_anything_heavy() -> None:
    script = """
import sys
from genie_lite.cli import main
main(["--help"])
heavy = {"torch", "pygame", "av", "rich", "tyro", "numpy"} & sys.modules.keys()
sys.exit(f"loaded {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


def test_help_of_play_tells_its_flags_without_torch_or_pygame() -> None:
    told = run_lightly("play", "--help")
    assert all(flag in told for flag in ("--biome", "--image", "--quality", "--off-screen", "--cap", "--memory"))


def test_the_module_runs_like_the_script() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "genie_lite", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, f"genie-lite {__version__}")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["dance"], "dance"),
        (["worlds", "dance"], "worlds view"),
        (["play", "--quality", "huge"], "720p"),
        (["play", "--dance"], "--dance"),
        (["play", "--hour", "noon"], "--hour"),
        (["play", "--hour", "25"], "hour"),
        (["play", "--fog", "2"], "fog"),
        (["play", "--biome", "moon"], "meadow"),
        (["play", "--cap", "-1", "--checkpoint", "."], "--cap"),
        (["play", "--world", "landscape", "--checkpoint", "."], "--world or --checkpoint"),
        (["worlds", "view", "--coherence-floor", "3"], "--coherence-floor"),
        (["play", "--prompt", "qwxz", "--checkpoint", "."], "qwxz"),
        (["worlds", "view", "--prompt", "qwxz"], "qwxz"),
        (["worlds", "view", "--events", "nowhere.json"], "nowhere.json"),
        (["worlds", "view", "--off-screen", "--cap", "0"], "--seconds"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = complaint(capsys, *words)
    assert status == 2 and told in said


@pytest.mark.parametrize("words", [["play", "--checkpoint", "nowhere"], ["play", "--world", "nowhere"]])
def test_a_missing_checkpoint_is_one_line_and_status_1(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, said = complaint(capsys, *words)
    assert status == 1 and "nowhere" in said


def test_pictures_that_cannot_be_used_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, tiny = tmp_path / "note.png", tmp_path / "tiny.png"
    text.write_text("no picture")
    Image.new("RGB", (8, 8)).save(tiny)
    for path in (text, tiny, tmp_path / "missing.png"):
        status, said = complaint(capsys, "play", "--image", str(path))
        assert status == 1 and path.name in said


def test_a_picture_becomes_an_upright_start_frame(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    image = Image.new("RGB", (640, 90), (200, 10, 10))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif)
    start = play.start_of(play.Options(image=path))
    assert isinstance(start, np.ndarray) and start.shape == (144, 256, 3) and start.dtype == np.uint8


def test_flags_become_conditions() -> None:
    start = play.start_of(play.Options(biome="snow", hour=20.5, snowfall=0.8))
    assert start == biome("snow", hour=20.5, snowfall=0.8)


def test_words_become_conditions_and_flags_overrule_them() -> None:
    words = play.Options(prompt="a foggy desert at dawn, light rain")
    assert play.start_of(words) == biome("desert", hour=6.0, fog=0.6, rain=0.3, clouds=0.7)
    overruled = play.start_of(replace(words, biome="snow", fog=0.1, hour=12.0))
    assert overruled == biome("snow", hour=12.0, fog=0.1, rain=0.3, clouds=0.7)


def test_what_was_understood_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = off_screen(tmp_path, prompt="thick fog with wombats", seconds=0.5)
    assert visit(options, options.conditions(), fake) == 0
    told = capsys.readouterr().out
    assert "understood      thick fog: fog 0.9\n" in told and "not understood  wombats\n" in told
    assert json.loads((tmp_path / "report.json").read_text())["conditions"]["fog"] == 0.9


def test_words_change_a_picture_in_the_first_seconds(tmp_path: Path) -> None:
    options = off_screen(tmp_path, prompt="thick fog", seconds=4.0)
    assert visit(options, np.zeros((144, 256, 3), np.uint8), fake) == 0
    assert json.loads((tmp_path / "report.json").read_text())["conditions"]["fog"] == 0.9


def test_a_file_of_events_happens_on_the_way(tmp_path: Path) -> None:
    script = tmp_path / "events.json"
    script.write_text('[{"at_s": 0.5, "text": "night falls"}, {"at_s": 1, "text": "let it snow"}]')
    options = off_screen(tmp_path, events=script, seconds=5.0)
    assert visit(options, biome("autumn", hour=20.0), fake) == 0
    lived = json.loads((tmp_path / "report.json").read_text())["conditions"]
    assert (lived["hour"], lived["snowfall"], lived["autumn"]) == (23, 0.6, 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no JSON"),
        ('{"at_s": 1, "text": "fog"}', "no list"),
        ('["fog"]', "event 1"),
        ('[{"at_s": 1, "text": "fog"}, {"at_s": 1}]', "event 2"),
        ('[{"at_s": 1, "text": "fog", "loud": true}]', "event 1"),
        ('[{"at_s": -1, "text": "fog"}]', "at_s -1"),
        ('[{"at_s": true, "text": "fog"}]', "at_s True"),
        ('[{"at_s": NaN, "text": "fog"}]', "at_s nan"),
        ('[{"at_s": 1, "text": 5}]', "text 5"),
        ('[{"at_s": 1, "text": "qwxz"}]', "qwxz"),
    ],
)
def test_events_that_make_no_sense_are_one_line_and_status_2(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "events.json").write_text(text)
    status, said = complaint(capsys, "worlds", "view", "--events", str(tmp_path / "events.json"))
    assert status == 2 and told in said and "events.json" in said


def test_an_off_screen_walk_leaves_a_video_and_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert visit(off_screen(tmp_path, seconds=2.0), biome("autumn", hour=18.0), fake) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert frames_in(tmp_path / "video.mp4") == report["frames"] == 49
    assert report["seed"] == 4 and report["cap_s"] == 60 and report["world_time_s"] == 2
    assert report["end_reason"] == "quit" and report["conditions"]["autumn"] == 1
    assert report["engine"]["name"] == "fake" and {"step", "work", "video"} <= report["stages_ms"].keys()
    assert len(report["coherence"]["curve"]) == 2 and report["versions"]["genie_lite"] == __version__
    told = capsys.readouterr().out
    assert str(tmp_path / "video.mp4") in told and str(tmp_path / "report.json") in told


def test_the_same_seed_walks_the_same_way(tmp_path: Path) -> None:
    hashes = []
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        visit(off_screen(tmp_path / name, seconds=1.0, seed=seed), biome("meadow"), fake)
        hashes.append(json.loads((tmp_path / name / "report.json").read_text())["last_frame_sha256"])
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[0] != frame_hash(fake().reset(biome("meadow"), 4))


def test_the_cap_ends_an_off_screen_walk(tmp_path: Path) -> None:
    visit(off_screen(tmp_path, cap=0.5), biome("meadow"), fake)
    assert json.loads((tmp_path / "report.json").read_text())["end_reason"] == "cap"
    assert frames_in(tmp_path / "video.mp4") == 13


def test_no_display_is_said_in_one_line_and_walks_off_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert visit(off_screen(tmp_path, off_screen=False, seconds=0.5), biome("meadow"), fake) == 0
    assert "no display" in capsys.readouterr().err and (tmp_path / "video.mp4").exists()


def test_a_display_that_cannot_be_opened_falls_back_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    monkeypatch.setenv("DISPLAY", ":4242")
    assert visit(off_screen(tmp_path, off_screen=False, seconds=0.5), biome("meadow"), fake) == 0
    assert "no window" in capsys.readouterr().err and (tmp_path / "video.mp4").exists()


def test_an_interrupted_walk_still_leaves_video_and_report(tmp_path: Path) -> None:
    class Interrupted(FakeEngine):
        def step(self, action: Action) -> Frame:
            frame = super().step(action)
            if frame.index == 10:
                raise KeyboardInterrupt
            return frame

    assert visit(off_screen(tmp_path, seconds=5.0), biome("meadow"), lambda: Interrupted(SIZE)) == 0
    assert json.loads((tmp_path / "report.json").read_text())["end_reason"] == "quit"
    assert frames_in(tmp_path / "video.mp4") == 10


def test_an_engine_that_breaks_leaves_a_report_and_its_error(tmp_path: Path) -> None:
    class Broken(FakeEngine):
        def step(self, action: Action) -> Frame:
            raise RuntimeError("lost the thread")

    with pytest.raises(RuntimeError, match="lost the thread"):
        visit(off_screen(tmp_path, seconds=1.0), biome("meadow"), lambda: Broken(SIZE))
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["end_reason"], report["error"]) == ("error", "lost the thread")


def test_a_folder_that_cannot_be_written_is_found_before_the_engine_loads(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    def never() -> Engine:
        raise AssertionError("the engine was loaded")

    with pytest.raises(OutputError, match="--out"):
        visit(off_screen(tmp_path / "file" / "out", seconds=1.0), biome("meadow"), never)


@pytest.mark.skipif(os.name != "posix" or not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"):
        visit(off_screen(tmp_path, seconds=1.0), biome("meadow"), fake)


def test_worlds_view_walks_through_a_simulator(tmp_path: Path) -> None:
    pytest.importorskip("gymnasium", reason="needs the training packages")
    words = ["worlds", "view", "--world", "counting", "--quality", "144p", "--off-screen", "--seconds", "0.5"]
    assert main([*words, "--seed", "1", "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "report.json").read_text())["engine"]["name"] == "counting simulator"
    assert frames_in(tmp_path / "video.mp4") == 13
