"""`genie-lite sessions`: past sessions from their reports, whoever wrote them."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightly import run_lightly
from walks import recorded

from genie_lite.cli import main
from genie_lite.commands.visit import VisitOptions, session_folder, visit
from genie_lite.conditions import biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import EngineInfo
from genie_lite.errors import RecordingError
from genie_lite.recording import history
from genie_lite.recording.history import Trend, grouped, read_session, read_sessions, trend

DREAM = EngineInfo("dream", "landscape", "abcd", (1280, 720), "bfloat16", "openvino", True, 1, 2)
GARBAGE = [
    b"", b"{", b"[]", b"7", b"null", b'"report"', b"\xff\xfe{}", b"\x00", b"[" * 100_000, b'{"engine":' * 100_000,
    b'{"engine": 1' + b"0" * 5000 + b"}", b"{}", b"[NaN]",
]  # fmt: skip


def report(**changes: Any) -> dict[str, Any]:
    """As `session_report` makes it, in what matters here; coherence's entries are changed by their names."""
    coherence = {"mean": 0.8, "lowest": 0.5, "half_life_s": 40.0}
    coherence |= {name: changes.pop(name) for name in list(changes) if name in coherence}
    whole = {"engine": asdict(DREAM), "world_time_s": 60.0, "end_reason": "cap", "fps": 24.0, "fps_possible": 40.0}
    return whole | {"stages_ms": {"present": {}}, "coherence": coherence} | changes


def left(folder: Path, **changes: Any) -> Path:
    """The folder of a session that left this report."""
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(report(**changes)))
    return folder


def document(capsys: pytest.CaptureFixture[str], folder: Path) -> dict[str, Any]:
    assert main(["sessions", str(folder), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_played_session_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = VisitOptions(off_screen=True, seconds=3.5, seed=4, out=tmp_path / "20260102-030405")
    assert visit(options, biome("snow"), lambda: FakeEngine((256, 144))) == 0
    capsys.readouterr()
    written = json.loads((tmp_path / "20260102-030405" / "report.json").read_text())
    (session,) = document(capsys, tmp_path)["sessions"]
    assert (session["when"], session["world"], session["off_screen"]) == ("2026-01-02T03:04:05", "fake", True)
    assert session["engine"] == written["engine"] and session["world_time_s"] == 3.5
    assert (session["end_reason"], session["fps"]) == ("quit", written["fps"])
    assert session["fps_possible"] == written["fps_possible"]
    assert session["coherence_mean"] == written["coherence"]["mean"] is not None
    assert session["coherence_lowest"] == written["coherence"]["lowest"]


def test_recordings_and_their_takes_are_sessions_too(tmp_path: Path) -> None:
    recorded(tmp_path / "walk")
    recorded(tmp_path / "walk" / "take-2")
    sessions, problems = read_sessions(tmp_path)
    assert [session.end_reason for session in sessions] == ["quit", "quit"] and not problems


def test_a_session_is_one_line_and_equal_ones_are_summed_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for day, mean in enumerate((0.9, 0.8, 0.7), 1):
        left(tmp_path / f"2026010{day}-120000", mean=mean, half_life_s=None if day == 1 else 41.0)
    left(tmp_path / "20260104-120000", engine=asdict(DREAM) | {"memory": False}, end_reason="coherence")
    (left(tmp_path / "torn") / "report.json").write_text("{")
    assert main(["sessions", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    words = ["2026-01-01", "12:00", "landscape", "720p", "openvino", "bf16", "on", "on", "cap"]
    lines = [line.split() for line in told.splitlines()]
    assert [*words, "60.0", "24.0", "40.0", "0.90", "0.50", "-"] in lines
    assert sum(line[:1] == ["2026-01-04"] and "coherence" in line and "off" in line for line in lines) == 1
    assert "0.80 -0.100" in told and "41 (2 of 3)" in told
    assert told.splitlines()[-1].startswith("left out: ") and "torn" in told.splitlines()[-1]


def test_groups_have_equal_settings_and_any_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = asdict(DREAM)
    changed = [{}, {"checkpoint_hash": "ef01"}, {"size": [640, 360]}, {"runtime": "eager"}, {"threads": 4}]
    for day, change in enumerate([*changed, {"checkpoint": "elsewhere"}], 1):
        left(tmp_path / f"2026010{day}-120000", engine=engine | change)
    left(tmp_path / "20260107-120000", stages_ms={"video": {}})
    groups = document(capsys, tmp_path)["groups"]
    assert [group["sessions"] for group in groups] == [2, 1, 1, 1, 1, 1]
    assert [group["weights"] for group in groups] == [2, 1, 1, 1, 1, 1]
    assert [group["world"] for group in groups][-2:] == ["elsewhere", "landscape"] and groups[-1]["off_screen"]
    assert groups[0]["coherence_mean"] == {"measured": 2, "mean": 0.8, "change": None}
    assert "checkpoint_hash" not in groups[0]["engine"]


def test_calibrated_sessions_are_a_group_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coherence = {"mean": 0.4, "lowest": 0.1, "half_life_s": None, "calibrated": True}
    left(tmp_path / "20260101-120000")
    left(tmp_path / "20260102-120000", coherence=coherence)
    groups = document(capsys, tmp_path)["groups"]
    assert [(group["sessions"], group["calibrated"]) for group in groups] == [(1, False), (1, True)]
    assert [group["coherence_mean"]["mean"] for group in groups] == [0.8, 0.4]


def test_a_trend_is_the_slope_of_a_line() -> None:
    assert trend([1.0, 3.0, 5.0]) == Trend(3, 3.0, 2.0)
    assert trend([0.0, None, None, 3.0, 4.0]) == Trend(3, pytest.approx(7 / 3), pytest.approx(1.0))
    assert trend([1.0, 3.0]) == Trend(2, 2.0, None)
    assert trend([None, None]) == trend([]) == Trend(0, None, None)


@given(st.lists(st.none() | st.floats(0, 1e12), max_size=20))
def test_a_trend_of_any_measures_is_finite(values: list[float | None]) -> None:
    found = trend(values)
    json.dumps([found.mean, found.change], allow_nan=False)
    assert (found.mean is None) == (found.measured == 0) and (found.change is None) == (found.measured < 3)


def test_sessions_come_in_the_order_they_were_played(tmp_path: Path) -> None:
    for name in ("b", "20260103-120000", "20250101-000000"):
        left(tmp_path / name)
    moment = datetime(2025, 6, 1, 12, 0).timestamp()
    os.utime(tmp_path / "b" / "report.json", (moment, moment))
    sessions, _ = read_sessions(tmp_path)
    assert [session.folder.name for session in sessions] == ["20250101-000000", "b", "20260103-120000"]
    assert [group.sessions for group in grouped(sessions)] == [tuple(sessions)]


def test_its_folder_tells_when_a_session_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = left(session_folder())
    os.utime(folder / "report.json", (0, 0))
    assert abs((read_session(folder).when - datetime.now()).total_seconds()) < 3600


def test_what_was_not_measured_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left(tmp_path / "a", fps=0.0, fps_possible=0.0, mean=None, lowest=None, half_life_s=None, end_reason=None)
    left(tmp_path / "b", fps=float("nan"), mean=float("inf"), curve=[float("nan")])
    first, second = sorted(document(capsys, tmp_path)["sessions"], key=lambda session: session["folder"])
    for name in ("fps", "fps_possible", "coherence_mean", "coherence_lowest", "half_life_s", "end_reason"):
        assert first[name] is None
    assert second["fps"] is None and second["coherence_mean"] is None and second["fps_possible"] == 40


def test_an_empty_folder_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sessions"]) == 0
    assert capsys.readouterr().out == "no sessions in sessions; make one with: genie-lite play\n"
    assert document(capsys, tmp_path) == {"folder": str(tmp_path), "sessions": [], "groups": [], "left_out": []}


@pytest.mark.parametrize("data", GARBAGE, ids=lambda data: repr(data[:12]))
def test_garbage_is_named_and_left_out(data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left(tmp_path / "whole")
    (left(tmp_path / "garbage") / "report.json").write_bytes(data)
    found = document(capsys, tmp_path)
    assert len(found["sessions"]) == 1 and len(found["left_out"]) == 1 and "garbage" in found["left_out"][0]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda r: r.pop("engine"), "it lacks 'engine'"),
        (lambda r: r.update(engine=[]), "object is missing"),
        (lambda r: r["engine"].update(size=[1280]), "values to unpack"),
        (lambda r: r["engine"].update(size=["\x1b[2J", 9]), "no whole number"),
        (lambda r: r["engine"].update(memory=1), "memory"),
        (lambda r: r["engine"].update(checkpoint="\x1b[31m"), "short text"),
        (lambda r: r["engine"].update(checkpoint="x" * 201), "short text"),
        (lambda r: r["engine"].update(mood="good"), "mood"),
        (lambda r: r.update(fps=-1), "outside"),
        (lambda r: r.update(fps=True), "no number"),
        (lambda r: r.update(fps=10**400), "too large"),
        (lambda r: r.update(world_time_s="60"), "no number"),
        (lambda r: r.update(end_reason=7), "short text"),
        (lambda r: r.update(coherence=[]), "no objects"),
        (lambda r: r["coherence"].update(mean=1.5), "outside 0 to 1"),
        (lambda r: r["coherence"].pop("lowest"), "lowest"),
    ],
)
def test_a_report_that_cannot_be_is_refused(edit: Callable[[dict[str, Any]], Any], told: str, tmp_path: Path) -> None:
    values = report()
    edit(values)
    (tmp_path / "report.json").write_text(json.dumps(values))
    with pytest.raises(RecordingError, match="delete it") as refusal:
        read_session(tmp_path)
    assert told in str(refusal.value)


def test_what_is_no_file_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(RecordingError, match="no file"):
        read_session(tmp_path)
    folder = left(tmp_path / "large")
    monkeypatch.setattr(history, "LARGEST", 100)
    with pytest.raises(RecordingError, match="larger"):
        read_session(folder)


def test_names_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left(tmp_path / "[/a]", engine=asdict(DREAM) | {"checkpoint": "[/b][red]c"}, end_reason="[/]")
    assert main(["sessions", str(tmp_path)]) == 0
    assert "[/b][red]c" in capsys.readouterr().out


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([10**400, "\ud800", "[/]"])
)
HOSTILE = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything within an object."""
    inner = (
        [place for key, item in value.items() for place in places(item, (*path, key))]
        if isinstance(value, dict)
        else []
    )
    return [path, *inner] if path else inner


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_an_edited_report_is_shown_or_left_out(
    data: st.DataObject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited: Any = copy.deepcopy(report())
    *way, last = data.draw(st.sampled_from(places(edited)))
    inner = edited
    for key in way:
        inner = inner[key]
    inner[last] = data.draw(HOSTILE)
    if data.draw(st.booleans()):
        del inner[last]
    shown_or_left_out(tmp_path, json.dumps(edited).encode(), capsys)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(noise=st.binary(max_size=100), where=st.integers(0, 600))
def test_noise_in_a_report_is_shown_or_left_out(
    noise: bytes, where: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = json.dumps(report()).encode()
    shown_or_left_out(tmp_path, whole[:where] + noise + whole[where:], capsys)


def shown_or_left_out(folder: Path, data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "report.json").write_bytes(data)
    assert main(["sessions", str(folder)]) == 0
    told = capsys.readouterr().out
    assert ("left out: " in told) != ("equal world" in told) and "\x1b" not in told
    found = document(capsys, folder)
    assert len(found["sessions"]) + len(found["left_out"]) == 1
    assert all(problem.isprintable() for problem in found["left_out"])


def test_it_loads_nothing_heavy(tmp_path: Path) -> None:
    left(tmp_path / "a")
    assert "landscape" in run_lightly("sessions", str(tmp_path))
    assert "--json" in run_lightly("sessions", "--help")
