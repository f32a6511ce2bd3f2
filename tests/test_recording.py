import copy
import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from walks import SIZE, START, begun, recorded, walk

from genie_lite.actions import IDLE, STEPS_PER_SECOND, Action
from genie_lite.camera import Pose
from genie_lite.conditions import Conditions, biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import Frame
from genie_lite.errors import OutputError, RecordingError
from genie_lite.recording import recorder as recorder_module
from genie_lite.recording.log import encode
from genie_lite.recording.reader import find_recordings, read_log
from genie_lite.recording.recorder import Recorder
from genie_lite.recording.replay import Replay, drive, verify
from genie_lite.recording.video import LiveVideo, read_video
from genie_lite.session.manager import EndReason, SessionManager, State


class Drifting(FakeEngine):
    """Draws a little differently from its fifth frame on."""

    def step(self, action: Action) -> Frame:
        frame = super().step(action)
        return replace(frame, image=255 - frame.image) if frame.index >= 5 else frame


def test_a_recording_tells_all_that_happened(tmp_path: Path) -> None:
    log = read_log(recorded(tmp_path / "a"))
    assert log.header.seed == 11 and log.start() == START and log.header.engine.name == "fake"
    assert len(log.steps) == 13 and log.end is not None and log.end.end == "quit"
    assert log.steps[0].action is None and log.steps[1].action == Action(forward=1, turn=0.25, run=True)
    assert log.conditions() == [START] * 7 + [biome("desert")] * 6
    assert len({step.hash for step in log.steps}) == 13 and log.steps[3].timings["decode"] >= 0
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    assert report["frames"] == 13 and report["end_reason"] == "quit" and report["video_dropped"] == log.end.dropped


def test_a_replay_draws_the_same_frames_and_tells_the_first_that_differs(tmp_path: Path) -> None:
    log = read_log(recorded(tmp_path / "a"))
    assert verify(log, FakeEngine(SIZE)) is None
    assert verify(log, Drifting(SIZE)) == 5
    assert [frame.conditions for frame in drive(log, FakeEngine(SIZE))] == log.conditions()


def test_an_event_everywhere_is_asked_for_again_in_the_same_step(tmp_path: Path) -> None:
    class Forgetful(FakeEngine):
        def set_conditions(self, conditions: Conditions, everywhere: bool = False) -> None:
            super().set_conditions(conditions, everywhere)
            if everywhere:
                self._noise = np.random.default_rng(99)

    recorder = Recorder(tmp_path / "a", on=True)
    session = begun(recorder, Forgetful(SIZE))
    walk(session, 3)
    session.change(biome("desert"), everywhere=True)
    walk(session, 40)
    session.end(EndReason.QUIT)
    recorder.close()
    log = read_log(tmp_path / "a")
    assert [step.index for step in log.steps if step.everywhere] == [3 + STEPS_PER_SECOND]
    assert verify(log, Forgetful(SIZE)) is None
    assert verify(log, FakeEngine(SIZE)) == 3 + STEPS_PER_SECOND


def test_a_start_picture_is_kept_to_the_byte(tmp_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (70, 90, 3), np.uint8)
    recorder = Recorder(tmp_path, on=True)
    begun(recorder, start=picture).end(EndReason.QUIT)
    start = read_log(tmp_path).start()
    assert isinstance(start, np.ndarray)
    np.testing.assert_array_equal(start, picture)
    (tmp_path / "start.png").write_bytes(b"\x89PNG")
    with pytest.raises(RecordingError, match=r"start\.png"):
        read_log(tmp_path).start()


def test_every_episode_has_a_folder_of_its_own(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, on=True)
    session = begun(recorder)
    walk(session, 3)
    session.restart()
    walk(session, 5)
    session.end(EndReason.QUIT)
    assert recorder.folders == find_recordings(tmp_path) == [tmp_path, tmp_path / "take-2"]
    assert [len(read_log(folder).steps) for folder in recorder.folders] == [4, 6]


def test_recording_switched_on_later_can_be_replayed_from_the_beginning(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    session = begun(recorder)
    walk(session, 6)
    assert not recorder.recording and not list(tmp_path.iterdir())
    recorder.toggle()
    walk(session, 4)
    recorder.toggle()
    walk(session, 2)
    recorder.close()
    log = read_log(tmp_path)
    assert session.state is State.RUNNING and not recorder.recording
    assert len(log.steps) == 11 and log.end is not None and log.end.end == "stopped"
    assert [step.hash is not None for step in log.steps] == [False] * 7 + [True] * 4
    assert verify(log, FakeEngine(SIZE)) is None and verify(log, Drifting(SIZE)) == 7
    assert log.header.video_from == 6 and len(list(read_video(tmp_path / "video.mp4"))) == 5


def test_the_report_tells_of_the_whole_visit_though_its_recording_was_stopped(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, on=True)
    session = begun(recorder)
    walk(session, 24)
    recorder.toggle()
    walk(session, 72)
    session.end(EndReason.QUIT)
    recorder.close()
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["world_time_s"], report["end_reason"], recorder.reported) == (4.0, "quit", True)
    assert len(report["coherence"]["curve"]) == 4 and len(read_log(tmp_path).steps) == 25


def test_a_dream_that_ran_away_to_infinity_is_still_recorded(tmp_path: Path) -> None:
    class Lost(FakeEngine):
        def step(self, action: Action) -> Frame:
            return replace(super().step(action), pose=Pose(x=float("nan"), y=float("inf")))

    recorder = Recorder(tmp_path, on=True)
    session = begun(recorder, Lost(SIZE))
    session.step(IDLE)
    session.end(EndReason.QUIT)
    assert session.error is None and np.isnan(read_log(tmp_path).steps[1].pose.x)


def test_a_full_disk_ends_the_video_then_the_log_and_never_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [10**12]
    recorder = Recorder(tmp_path, on=True, free=lambda _: free[0])
    session = begun(recorder)
    walk(session, 23)
    free[0] = 1000
    walk(session, 4)
    news = [recorder.take_news() for _ in range(2)]
    assert news[1] is not None and "the log goes on" in news[1] and recorder.recording

    def full(self: object, *lines: str) -> None:
        raise OutputError("no space")

    monkeypatch.setattr(recorder_module.LogWriter, "write", full)
    walk(session, 2)
    said = recorder.take_news()
    assert said is not None and "recording ended" in said and not recorder.recording
    assert session.state is State.RUNNING and session.steps == 29
    session.end(EndReason.QUIT)
    recorder.close()
    assert json.loads((tmp_path / "report.json").read_text())["frames"] == 30, "it tells of all"
    assert len(read_log(tmp_path).steps) == 28 and 0 < len(list(read_video(tmp_path / "video.mp4"))) <= 25


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_video_that_cannot_be_written_leaves_the_log(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").symlink_to("/dev/full")
    recorder = Recorder(tmp_path, on=True)
    session = begun(recorder)
    walk(session, 40)
    session.end(EndReason.QUIT)
    recorder.close()
    assert session.error is None and recorder.problem is not None and "No space left" in recorder.problem
    assert len(read_log(tmp_path).steps) == 41


def test_a_folder_that_cannot_be_made_ends_only_the_recording(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recorder = Recorder(tmp_path / "file" / "out", on=True)
    session = begun(recorder)
    walk(session, 3)
    assert session.state is State.RUNNING and recorder.problem is not None and "--out" in recorder.problem


def test_frames_that_the_encoder_cannot_take_are_dropped_and_counted(tmp_path: Path) -> None:
    video = LiveVideo(tmp_path / "video.mp4", backlog=0)
    for index in range(5):
        video.offer(np.zeros((144, 256, 3), np.uint8), index)
    video.finish()
    video.join()
    assert video.dropped == 5 and video.problem is None


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_process_leaves_its_log_and_all_but_the_last_second_of_video(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import os, sys, signal
        from pathlib import Path
        from genie_lite.actions import Action
        from genie_lite.conditions import biome
        from genie_lite.engine.fake import FakeEngine
        from genie_lite.recording.recorder import Recorder
        from genie_lite.session.manager import SessionManager
        recorder = Recorder(Path(sys.argv[1]), on=True)
        session = SessionManager(FakeEngine((256, 144)), biome("snow"), 3, observers=[recorder])
        session.begin()
        for _ in range(72):
            session.step(Action(forward=1, turn=0.3))
            while not recorder._video._waiting.empty():
                pass
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    log = read_log(tmp_path)
    assert len(log.steps) == 73 and log.end is None
    assert verify(log, FakeEngine(SIZE)) is None
    assert len(list(read_video(tmp_path / "video.mp4"))) >= 73 - 24


def test_a_log_cut_at_any_byte_gives_what_came_before(tmp_path: Path) -> None:
    data = (recorded(tmp_path / "a", 2) / "log.jsonl").read_bytes()
    lines = data.splitlines(keepends=True)
    path = tmp_path / "log.jsonl"
    for length in range(len(data) + 1):
        path.write_bytes(data[:length])
        # A line is whole once its closing brace is there, with or without the newline.
        whole = sum(length >= sum(map(len, lines[: n + 1])) - 1 for n in range(len(lines)))
        if whole < 2:
            with pytest.raises(RecordingError):
                read_log(path)
        else:
            log = read_log(path)
            assert len(log.steps) == min(3, whole - 1) and (log.end is not None) == (whole == 5)


HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["../../etc/passwd", "/etc/passwd", "\x1b[2J", "", "NaN"]),
    st.lists(st.integers(), max_size=7),
    st.dictionaries(st.text(max_size=5), st.floats(), max_size=3),
)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = recorded(tmp_path_factory.mktemp("recorded") / "a", 4)
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in nested JSON."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, child in inner for place in places(child, (*at, key)))]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_an_edited_log_is_read_or_refused_in_one_line(data: st.DataObject, lines: list[Any], tmp_path: Path) -> None:
    edited = copy.deepcopy(lines)
    place = data.draw(st.sampled_from(places(edited)[1:]))
    inner: Any = edited
    for key in place[:-1]:
        inner = inner[key]
    if data.draw(st.booleans()):
        inner[place[-1]] = data.draw(HOSTILE)
    else:
        del inner[place[-1]]
    text = "".join(json.dumps(line) + "\n" for line in edited)
    read_or_refused(tmp_path, text.encode())


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(noise=st.binary(max_size=200), where=st.integers(0, 4000))
def test_noise_in_a_log_is_read_or_refused_in_one_line(
    noise: bytes, where: int, lines: list[Any], tmp_path: Path
) -> None:
    whole = "".join(json.dumps(line) + "\n" for line in lines).encode()
    read_or_refused(tmp_path, whole[:where] + noise + whole[where:])


def read_or_refused(folder: Path, data: bytes) -> None:
    (folder / "log.jsonl").write_bytes(data)
    try:
        log = read_log(folder)
        assert all(encode(step) for step in log.steps)
    except RecordingError as error:
        assert "\n" not in str(error) and "\x1b" not in str(error) and ";" in str(error)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda lines: lines[0].update(version=2), "version 2"),
        (lambda lines: lines[0].update(format="x"), "no genie_lite recording"),
        (lambda lines: lines[0].update(extra=1), "extra"),
        (lambda lines: lines[0].update(start={"image": "../secret.png"}), "line 1"),
        (lambda lines: lines[3]["action"].__setitem__(0, 7.0), "line 4"),
        (lambda lines: lines[3].update(index=9), "frame 9 where frame 2"),
        (lambda lines: lines[3]["pose"].__setitem__(0, float("inf")), "line 4"),
        (lambda lines: lines.append({"end": "cap", "dropped": 0}), "after its end"),
    ],
)
def test_what_is_wrong_is_named(edit: Callable[[list[Any]], None], told: str, lines: list[Any], tmp_path: Path) -> None:
    edited = copy.deepcopy(lines)
    edit(edited)
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in edited))
    with pytest.raises(RecordingError, match=told):
        read_log(tmp_path)


def test_an_endless_line_and_a_missing_log_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="recordings list"):
        read_log(tmp_path)
    (tmp_path / "log.jsonl").write_bytes(b"[" * 1_000_000)
    with pytest.raises(RecordingError, match="line 1"):
        read_log(tmp_path)


def arrive(replay: Replay, index: int) -> Frame:
    replay.seek(index)
    while not replay.arrived:
        replay.advance()
    assert replay.frame is not None
    return replay.frame


def test_seeking_shows_the_same_frames_in_any_order(tmp_path: Path) -> None:
    log = read_log(recorded(tmp_path / "a", 60))
    truth = list(drive(log, FakeEngine(SIZE)))
    replay = Replay(log, FakeEngine(SIZE))
    for index in (0, 40, 39, 3, 60, 59, 0, 10):
        frame = arrive(replay, index)
        assert frame.index == index
        np.testing.assert_array_equal(frame.latent, truth[index].latent)
        np.testing.assert_array_equal(frame.image, truth[index].image)
    assert arrive(replay, 999).index == 60 and arrive(replay, -5).index == 0


@pytest.mark.parametrize("way", [[8], [12, 8], [12, 0, 8]])
def test_a_replay_is_walked_on_from_and_recorded_as_one_whole(way: list[int], tmp_path: Path) -> None:
    log = read_log(recorded(tmp_path / "a"))
    replay = Replay(log, FakeEngine(SIZE))
    for index in way:
        arrive(replay, index)
    recorder = Recorder(tmp_path / "b", on=True, past=log.steps[:9])
    session = SessionManager(replay.take_over(), log.start(), log.header.seed, observers=[recorder])
    session.begin()
    assert session.frame is not None and session.frame.index == 8 and session.steps == 0
    session.step(Action(strafe=1))
    session.restart()
    assert session.frame.index == 8
    session.step(Action(strafe=-1))
    session.end(EndReason.QUIT)
    for folder, strafe in ((tmp_path / "b", 1), (tmp_path / "b" / "take-2", -1)):
        whole = read_log(folder)
        assert len(whole.steps) == 10 and whole.steps[9].action == Action(strafe=strafe)
        assert whole.conditions()[8:] == [biome("desert")] * 2
        assert whole.steps[9].hash is not None and verify(whole, FakeEngine(SIZE)) is None
