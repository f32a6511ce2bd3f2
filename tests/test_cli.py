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
from walks import Interrupted

from genie_lite import __version__
from genie_lite.actions import Action
from genie_lite.cli import COMMANDS, main
from genie_lite.commands import play
from genie_lite.commands.visit import VisitOptions, visit
from genie_lite.commands.world import checked_seed
from genie_lite.conditions import biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import Engine, Frame
from genie_lite.errors import OutputError, UsageError
from genie_lite.recording.reader import read_log
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


@pytest.mark.parametrize("wish", [
    "train all --batch -1", "train dynamics --learning-rate -1", "train frame --most-frames -5",
    "bench sheets --threads 0", "bench speed --seed -1", "bench speed --warm-up 0",
    "bench soak --minutes 2", "collect --workers 0",
])  # fmt: skip
def test_too_small_a_number_is_one_line_that_names_it(wish: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(wish.split()) == 2
    said = capsys.readouterr().err
    assert " ".join(wish.split()[-2:]) in said and said.count("\n") == 1


@pytest.mark.parametrize("name", ["play", "bench speed", "bench meter", "bench coherence"])
def test_help_says_what_picks_the_number_format(name: str) -> None:
    told = " ".join(run_lightly(*name.split(), "--help").replace("│", " ").split())
    assert "auto takes bf16 where the processor has instructions for it" in told


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
        (["worlds", "view", "--off-screen", "--seconds", "1e308"], "--seconds"),
        (["worlds", "view", "--seed", "-1"], "--seed -1"),
        (["sketch", "--seed", "-1"], "--seed -1"),
        (["play", "--world", "landscape", "--checkpoint", "."], "--world or --checkpoint"),
        (["play", "--threads", "-3"], "--threads -3"),
        (["play", "--threads", "0"], "--threads 0"),
        (["worlds", "gallery", "--threads", "1025"], "--threads 1025"),
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


TOO_LONG = "a foggy lake at dawn " * 20


@pytest.mark.parametrize(
    "words",
    [
        ["play", TOO_LONG],
        ["play", "--checkpoint", TOO_LONG],
        ["play", "--off-screen", "--out", TOO_LONG],
        ["replay", TOO_LONG],
        ["recordings", "show", TOO_LONG],
        ["worlds", "list", TOO_LONG],
    ],
)
def test_a_text_too_long_for_a_name_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said = complaint(capsys, *words)
    assert status == 1 and TOO_LONG.strip() in said


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied", "/closed/weights"), "/closed/weights (Permission denied)"),
        (OSError(28, "No space left on device"), "(No space left on device)"),
        (OSError("no reason"), "(no reason)"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    error: OSError, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(options: object) -> int:
        raise error

    monkeypatch.setattr("genie_lite.commands.prompt.main", refused)
    status, said = complaint(capsys, "prompt", "fog")
    assert status == 1 and told in said


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["worlds", "list"], ["prompt", "fog"], ["--help"], ["play", "--help"]])
def test_a_reader_that_is_gone_is_no_error_to_tell(words: list[str], unbuffered: str) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-m", "genie_lite", *words]
    done = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writes)
    assert done.stderr == b"" and done.returncode == 1


@pytest.mark.parametrize("text", ["castle", "a foggy lake at dawn", TOO_LONG])
def test_words_that_are_no_world_are_told_where_they_belong(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = complaint(capsys, "play", text)
    assert status == 1 and "worlds list" in said and "--prompt" in said


def test_a_seed_that_no_recording_holds_is_refused() -> None:
    assert [checked_seed(seed) for seed in (0, 2**63 - 1)] == [0, 2**63 - 1]
    for seed in (-1, 2**63, 99999999999999999999):
        with pytest.raises(UsageError, match=f"--seed {seed} "):
            checked_seed(seed)


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
        ('[{"at_s": 1e308, "text": "fog"}]', "at_s 1e+308"),
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
    assert visit(off_screen(tmp_path, seconds=5.0), biome("meadow"), lambda: Interrupted(at=10)) == 0
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
def test_a_full_disk_ends_the_video_and_not_the_walk(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"video ended early: .*No space left"):
        visit(off_screen(tmp_path, seconds=4.0), biome("meadow"), fake)
    assert len(read_log(tmp_path).steps) == json.loads((tmp_path / "report.json").read_text())["frames"] == 97


def test_a_second_walk_leaves_the_first_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("log.jsonl", "video.mp4", "report.json")
    visit(off_screen(tmp_path, seconds=0.5), biome("meadow"), fake)
    before = [(tmp_path / name).read_bytes() for name in names]
    capsys.readouterr()
    visit(off_screen(tmp_path, seconds=1.0, seed=9), biome("snow"), fake)
    assert [(tmp_path / name).read_bytes() for name in names] == before
    assert frames_in(tmp_path / "take-2" / "video.mp4") == len(read_log(tmp_path / "take-2").steps) == 25
    told = capsys.readouterr().out
    assert all(str(tmp_path / "take-2" / name) in told for name in names[1:])


def test_the_shortest_walk_is_one_step(tmp_path: Path) -> None:
    assert visit(off_screen(tmp_path, seconds=0.01), biome("meadow"), fake) == 0
    assert frames_in(tmp_path / "video.mp4") == 2


def test_a_walk_without_an_end_is_refused_where_there_is_no_display(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with pytest.raises(UsageError, match="--seconds"):
        visit(off_screen(tmp_path, off_screen=False, cap=0.0), biome("meadow"), fake)


def test_worlds_view_walks_through_a_simulator(tmp_path: Path) -> None:
    pytest.importorskip("gymnasium", reason="needs the training packages")
    words = ["worlds", "view", "--world", "counting", "--quality", "144p", "--off-screen", "--seconds", "0.5"]
    assert main([*words, "--seed", "1", "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "report.json").read_text())["engine"]["name"] == "counting simulator"
    assert frames_in(tmp_path / "video.mp4") == 13
