import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

os.environ["SDL_VIDEODRIVER"] = "dummy"

import numpy as np
import pygame
import pytest
import torch
from tiny import saved, shaken, tiny_model
from walks import Interrupted

from genie_lite.actions import Action
from genie_lite.cli import main
from genie_lite.commands import replay
from genie_lite.commands import visit as visit_module
from genie_lite.commands.visit import VisitOptions, visit
from genie_lite.conditions import biome
from genie_lite.engine.dream import DreamEngine, EngineOptions
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import ENGINE, EngineInfo
from genie_lite.engine.shipped import weights_hash
from genie_lite.errors import RecordingError
from genie_lite.play.loop import PlayLoop
from genie_lite.play.scrub import ReplayLoop
from genie_lite.play.window import Window
from genie_lite.recording.checks import engine_info
from genie_lite.recording.reader import read_log
from genie_lite.recording.recorder import Recorder
from genie_lite.recording.replay import Replay
from genie_lite.recording.video import read_video
from genie_lite.session.calibration import METER, Calibration, Linear, write_calibration
from genie_lite.session.manager import SessionManager

SIZE = (256, 144)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two checkpoints of different weights."""
    torch.set_num_threads(1)
    return [saved(tmp_path_factory.mktemp("weights") / "tiny", shaken(tiny_model(seed))) for seed in (0, 1)]


@pytest.fixture(scope="module")
def walked(checkpoints: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An off-screen walk of the tiny dream."""
    out = tmp_path_factory.mktemp("walked") / "out"

    def dream() -> DreamEngine:
        return DreamEngine.load(EngineOptions(checkpoints[0], "144p", runtime="eager", dtype="fp32", threads=1))

    options = VisitOptions(off_screen=True, seconds=0.5, seed=4, out=out)
    assert visit(options, biome("autumn"), dream) == 0
    return out


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return status, out, err


def test_an_off_screen_walk_replays_identically(
    walked: Path, checkpoints: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = said(capsys, "replay", walked, "--verify", "--checkpoint", checkpoints[0])
    assert status == 0
    assert out.splitlines()[-1] == '{"frames":13,"identical":true,"first_difference":null}'


def test_a_changed_action_is_found_where_it_was_changed(
    walked: Path, checkpoints: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.loads(line) for line in (walked / "log.jsonl").read_text().splitlines()]
    lines[6]["action"][2] = -1.0 if lines[6]["action"][2] >= 0 else 1.0
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    status, out, err = said(capsys, "replay", tmp_path, "--verify", "--checkpoint", checkpoints[0])
    assert status == 1 and "frame 5" in err
    assert json.loads(out.splitlines()[-1]) == {"frames": 13, "identical": False, "first_difference": 5}


def test_other_weights_are_refused_by_name(
    walked: Path, checkpoints: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = said(capsys, "replay", walked, "--verify", "--checkpoint", checkpoints[1])
    recorded = read_log(walked).header.engine.checkpoint_hash
    assert status == 1 and recorded is not None and recorded in err and err.count("\n") == 1
    other = DreamEngine.load(EngineOptions(checkpoints[1], "144p", runtime="eager", dtype="fp32")).info.checkpoint_hash
    assert other is not None and other in err


def test_a_recording_is_filmed_at_another_size(
    walked: Path, checkpoints: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("replay", walked, "--size", "360p", "--out", tmp_path / "b.mp4", "--checkpoint", checkpoints[0])
    assert said(capsys, *words)[0] == 0
    pictures = [image for _, image in read_video(tmp_path / "b.mp4")]
    assert len(pictures) == 13 and pictures[0].shape == (360, 640, 3)
    assert said(capsys, *words)[0] == 1


def test_a_film_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        replay.film(read_log(recorded(tmp_path / "a")), Interrupted(), tmp_path / "film.mp4")
    assert not (tmp_path / "film.mp4").exists()


def test_verify_takes_no_size(walked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "replay", walked, "--verify", "--size", "360p")[0] == 2


def test_without_a_display_a_replay_verifies(
    walked: Path, checkpoints: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = said(capsys, "replay", walked, "--checkpoint", checkpoints[0])
    assert status == 0 and "no display" in err and '"identical":true' in out


def test_an_engine_that_cannot_be_made_is_refused(walked: Path) -> None:
    header = read_log(walked).header
    for engine in (EngineInfo("fake"), replace(header.engine, dtype="int3"), replace(header.engine, size=(7, 7))):
        with pytest.raises(RecordingError):
            replay.engine_for(replace(header, engine=engine))


def test_guidance_is_checked_and_may_be_missing_as_in_older_recordings() -> None:
    values: dict[str, Any] = json.loads(json.dumps(asdict(EngineInfo("dream", guidance=3.0))))
    assert engine_info(values).guidance == 3
    for wrong in (None, "2", 21, -1, True):
        with pytest.raises(ValueError, match="no number from 0 to 20"):
            engine_info(values | {"guidance": wrong})
    del values["guidance"]
    assert engine_info(values).guidance == 1


def test_a_simulator_is_replayed_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gymnasium", reason="needs the training packages")
    words = ["worlds", "view", "--world", "counting", "--quality", "144p", "--off-screen", "--seconds", "0.5"]
    assert main([*words, "--seed", "1", "--out", str(tmp_path)]) == 0
    assert said(capsys, "replay", tmp_path, "--verify")[0] == 0


def test_recordings_are_listed_shown_exported_and_deleted(
    walked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said(capsys, "recordings", "list")[1].startswith("no recordings in sessions")
    for name in ("one", "torn"):
        folder = tmp_path / "sessions" / name
        folder.mkdir(parents=True)
        for file in walked.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "log.jsonl").write_text("{")
    status, out, _ = said(capsys, "recordings", "list")
    assert status == 0 and "0.5 s" in out and "256x144" in out and "unreadable" in out
    status, out, _ = said(capsys, "recordings", "show", "one")
    assert status == 0 and "seed        4" in out and "autumn" in out
    assert said(capsys, "recordings", "export", "one", "--to", "webp")[0] == 0 and (tmp_path / "one.webp").exists()
    (tmp_path / "sessions" / "one" / "screenshot-001.png").write_bytes(b"mine")
    status, out, _ = said(capsys, "recordings", "delete", "one")
    assert status == 0 and "kept screenshot-001.png" in out
    assert [path.name for path in (tmp_path / "sessions" / "one").iterdir()] == ["screenshot-001.png"]
    assert said(capsys, "recordings", "delete", "torn")[0] == 0 and not (tmp_path / "sessions" / "torn").exists()
    assert said(capsys, "recordings", "delete", "one")[0] == 1
    assert said(capsys, "recordings", "show")[0] == 2


def test_an_episode_is_exported_by_the_model(
    walked: Path, checkpoints: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "0.safetensors"
    words = ("recordings", "export", walked, "--to", "episode", "--checkpoint", checkpoints[0], "--out", out)
    assert said(capsys, *words)[0] == 0 and out.exists()


class Keyboard:
    """A pace, a clock and a keyboard in one; a tick takes no time."""

    fps = 24.0

    def __init__(self) -> None:
        self.queue: list[pygame.event.Event] = []

    def wait(self) -> None:
        pass

    def restart(self) -> None:
        pass

    def __call__(self) -> float:
        return 0.0

    def press(self, *keys: int) -> None:
        self.queue += [pygame.event.Event(pygame.KEYDOWN, key=key) for key in keys]

    def events(self) -> list[pygame.event.Event]:
        events, self.queue = self.queue, []
        return events


@pytest.fixture
def keyboard() -> Keyboard:
    return Keyboard()


@pytest.fixture
def window() -> Iterator[Window]:
    with Window(SIZE) as window:
        yield window


def test_a_key_records_while_playing(tmp_path: Path, window: Window, keyboard: Keyboard) -> None:
    recorder = Recorder(tmp_path)
    session = SessionManager(FakeEngine(SIZE), biome("snow"), 3, observers=[recorder])
    loop = PlayLoop(session, window, tmp_path, recorder=recorder, pace=keyboard, clock=keyboard, events=keyboard.events)
    loop.begin()
    loop.tick()
    before = pygame.surfarray.array3d(window.surface)
    keyboard.press(pygame.K_v)
    loop.tick()
    assert recorder.recording
    assert (before != pygame.surfarray.array3d(window.surface)).any(), "the display marks it"
    keyboard.press(pygame.K_w)
    loop.tick()
    keyboard.press(pygame.K_v)
    loop.tick()
    assert not recorder.recording
    keyboard.press(pygame.K_q)
    assert not loop.tick()
    recorder.close()
    assert [step.action for step in read_log(tmp_path).steps] == [None, Action(), Action(), Action(forward=1)]


def recorded(folder: Path) -> Path:
    recorder = Recorder(folder, on=True)
    session = SessionManager(FakeEngine(SIZE), biome("snow"), 3, cap=4.0, observers=[recorder])
    session.begin()
    for _ in range(96):
        session.step(Action(forward=1, turn=0.5))
    recorder.close()
    return folder


def test_a_replay_in_the_window_is_sought_through_and_walked_on_from(
    tmp_path: Path, window: Window, keyboard: Keyboard
) -> None:
    log = read_log(recorded(tmp_path / "a"))
    shown = Replay(log, FakeEngine(SIZE))
    loop = ReplayLoop(shown, window, pace=keyboard, clock=keyboard, events=keyboard.events)
    loop.tick()
    assert loop.tick() and shown.position == 1
    keyboard.press(pygame.K_RIGHT)
    loop.tick()
    assert shown.position == 25, "a second further"
    keyboard.press(pygame.K_SPACE, pygame.K_LEFT, pygame.K_LEFT)
    loop.tick()
    loop.tick()
    assert shown.position == 23
    keyboard.press(pygame.K_HOME)
    loop.tick()
    assert shown.position == 0
    keyboard.press(pygame.K_h)
    loop.tick()
    assert shown.frame is not None
    picture = pygame.surfarray.array3d(window.surface).transpose(1, 0, 2)
    np.testing.assert_array_equal(picture, shown.frame.image)
    keyboard.press(pygame.K_RIGHT, pygame.K_RIGHT)
    loop.tick()
    keyboard.press(pygame.K_w)
    key = loop.run()
    assert key is not None and key.key == pygame.K_w and shown.position == 2
    session = SessionManager(shown.take_over(), log.start(), log.header.seed)
    session.begin()
    assert session.frame is not None and session.frame.index == 2


def test_walking_on_from_a_replay_is_measured_by_the_meter_of_its_weights(
    walked: Path, checkpoints: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(checkpoints[0], weights)
    steady = Linear(("seconds",), (0.0,), (1.0,), (0.0,), 0.0)
    write_calibration(Calibration(weights_hash(weights), ENGINE, steady, (-1.0, 0.0), (0.0, 1.0), {}), weights / METER)
    for module in (replay, visit_module):
        monkeypatch.setattr(module, "display_expected", lambda: True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        ReplayLoop, "run", lambda loop: loop.tick() and pygame.event.Event(pygame.KEYDOWN, key=pygame.K_w)
    )
    ticks, tick = iter(range(30)), PlayLoop.tick
    monkeypatch.setattr(PlayLoop, "tick", lambda loop: next(ticks, None) is not None and tick(loop))
    assert main(["replay", str(walked), "--checkpoint", str(weights)]) == 0
    (report,) = (tmp_path / "sessions").glob("*/report.json")
    assert json.loads(report.read_text())["coherence"]["calibrated"]


def test_a_replay_is_left(tmp_path: Path, window: Window, keyboard: Keyboard) -> None:
    shown = Replay(read_log(recorded(tmp_path / "a")), FakeEngine(SIZE))
    keyboard.press(pygame.K_ESCAPE)
    assert ReplayLoop(shown, window, pace=keyboard, clock=keyboard, events=keyboard.events).run() is None


def test_play_records_in_the_window_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genie_lite.commands.visit.display_expected", lambda: True)
    options = VisitOptions(record=True, cap=0.25, seed=4, out=tmp_path)
    ticks = iter(range(10))
    tick = PlayLoop.tick
    monkeypatch.setattr(PlayLoop, "tick", lambda loop: next(ticks, None) is not None and tick(loop))
    assert visit(options, biome("snow"), lambda: FakeEngine(SIZE)) == 0
    log = read_log(tmp_path)
    assert len(log.steps) == 7 and log.end is not None and log.end.end == "cap"
    assert (tmp_path / "video.mp4").exists() and (tmp_path / "report.json").exists()
