"""`genie-lite bench soak` with the fake engine and a clock of its own: what it tells, never how fast it was."""

from __future__ import annotations

import importlib.util
import json

import pytest
from lightly import run_lightly

pytest.importorskip("psutil", reason="needs the bench packages")

from genie_lite.actions import Action
from genie_lite.bench import machine, soak
from genie_lite.bench.soak import Minute, Options, Soak
from genie_lite.cli import main
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import Frame

SECONDS = 10.0


class Played(FakeEngine):
    """A clock and an engine in one: a frame takes ten seconds, from its `slow`th frame on twenty."""

    def __init__(self, slow: int = 10**9) -> None:
        super().__init__((256, 144))
        self.now, self.actions, self._slow = 0.0, list[Action](), slow

    def step(self, action: Action) -> Frame:
        self.actions.append(action)
        self.now += SECONDS if len(self.actions) < self._slow else 2 * SECONDS
        return super().step(action)

    def clock(self) -> float:
        return self.now


def minutes(*numbers: tuple[float, float]) -> Soak:
    return Soak(tuple(Minute(100, milliseconds, megabytes) for milliseconds, megabytes in numbers))


def test_it_ends_in_one_line_of_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    resident = iter((500.0, 503.0, 512.5, 540.0))
    monkeypatch.setattr(machine, "resident_mb", lambda: next(resident))
    engine = Played()
    assert soak.main(Options(minutes=3), lambda: engine, engine.clock) == 0
    told = capsys.readouterr()
    line = json.loads(told.out.splitlines()[-1])
    assert (line["bench"], line["size"], line["minutes"], line["frames"]) == ("soak", "256x144", 3, 18)
    assert line["p50_ms"] == [SECONDS * 1e3] * 3 and line["pace"] == 1
    assert line["rss_mb"] == [500, 503, 512.5] and line["growth_mb"] == 12.5
    assert line["kept"] == {"growth": True, "pace": True}
    assert line["cpu"] and line["threads"] == 1 and line["checkpoint"] is None
    assert "minute 3" in told.err and "+12.5 MB" in told.out
    assert any(action.forward for action in engine.actions), "the autopilot walks"


def test_a_target_that_was_missed_is_told_and_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    engine = Played(slow=12)
    assert soak.main(Options(minutes=3), lambda: engine, engine.clock) == 0
    told = capsys.readouterr().out
    line = json.loads(told.splitlines()[-1])
    assert line["pace"] == 2 and line["kept"]["pace"] is False and "+100.0%" in told


def test_growth_is_counted_from_the_first_minute_and_pace_from_the_second() -> None:
    found = minutes((90, 400), (20, 470), (30, 415), (20.8, 419))
    assert found.growth_mb == 19 and found.pace == pytest.approx(1.04)
    assert found.kept == {"growth": True, "pace": True}
    assert minutes((20, 400), (20, 400), (20, 420)).kept == {"growth": False, "pace": True}
    assert not minutes((20, 400), (20, 400), (18, 400)).kept["pace"], "faster by a tenth: the second was disturbed"
    assert minutes((20, 400), (20, 400), (20, 300)).growth_mb == -100


def test_a_machine_that_slept_still_draws_a_frame_each_minute() -> None:
    sleepy = iter(range(0, 10**6, 500)).__next__
    assert [minute.frames for minute in soak.soak(Played(slow=1), 0, 4, sleepy).minutes] == [1] * 4


def test_what_breaks_the_engine_ends_it() -> None:
    class Broken(Played):
        def step(self, action: Action) -> Frame:
            raise RuntimeError("lost the thread")

    engine = Broken()
    with pytest.raises(RuntimeError, match="lost the thread"):
        soak.main(Options(minutes=3), lambda: engine, engine.clock)


@pytest.mark.parametrize(
    ("flags", "status", "told"),
    [
        (["--minutes", "2"], 2, "--minutes 2"),
        (["--threads", "0"], 2, "--threads 0"),
        (["--checkpoint", "nowhere"], 1, "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    flags: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "soak", *flags]) == status
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1


def test_without_psutil_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["bench", "soak"]) == 1
    assert 'psutil: pip install "genie_lite[bench]"' in capsys.readouterr().err


def test_its_help_loads_nothing_heavy() -> None:
    assert "--minutes" in run_lightly("bench", "soak", "--help")
