"""The calibrated meter: fitted on the fake engine's walks, stored, refused where it does not belong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genie_lite.actions import STEPS_PER_SECOND, Action
from genie_lite.bench.calibrate import (
    Course,
    calibration_error,
    cross_validated,
    fit,
    fit_alarms,
    isotonic,
    judge,
    quality,
    rising,
    spearman,
)
from genie_lite.commands.visit import VisitOptions, meter_for, visit
from genie_lite.conditions import Conditions, biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.engine.protocol import ENGINE, EngineInfo, Frame
from genie_lite.errors import CheckpointError
from genie_lite.session.autopilot import Autopilot
from genie_lite.session.calibration import METER, Calibration, Linear, read_calibration, write_calibration
from genie_lite.session.coherence import CoherenceMeter
from genie_lite.session.manager import EndReason, SessionManager
from genie_lite.session.signals import JUDGED_EVERY, JUDGED_PER_SECOND, Signals

ASKED = biome("meadow")
HARM_AT = 6 * STEPS_PER_SECOND
Step = tuple[Frame, Action, Conditions]


def wrong(action: Action) -> Action:
    return replace(action, forward=-action.forward, turn=-action.turn if action.turn else 1.0)


def spoilt(frame: Frame, share: float, kind: str) -> Frame:
    """The frame with a share of something else in its picture and its latent."""
    assert frame.thumbnail is not None and frame.latent is not None
    rng = np.random.default_rng(frame.index)
    shape = frame.thumbnail[:3].shape
    other = rng.uniform(-1, 1, shape) if kind == "noise" else np.full(shape, 0.3)
    thumbnail = frame.thumbnail.copy()
    thumbnail[:3] = (1 - share) * thumbnail[:3] + share * other
    return replace(frame, thumbnail=thumbnail, latent=frame.latent * (1 + share))


def walk(seed: int, harm: str | None = None, seconds: int = 10) -> Iterator[Step]:
    """A walk, harmed from HARM_AT on: frames, and what was asked for."""
    engine, pilot = FakeEngine((64, 36)), Autopilot(seed)
    frame, action = engine.reset(ASKED, seed), Action()
    for _ in range(seconds * STEPS_PER_SECOND):
        harmed = harm is not None and frame.index >= HARM_AT
        yield (spoilt(frame, 0.7, harm) if harmed and harm in ("noise", "flat") else frame), action, ASKED
        action = pilot.action(frame)
        if harm == "conditions" and frame.index + 1 == HARM_AT:
            engine.set_conditions(biome("desert", hour=2.0))
        turned_round = harm == "actions" and frame.index + 1 >= HARM_AT
        frame = engine.step(wrong(action) if turned_round else action)


def course(seed: int, harm: str | None) -> Course:
    """As `bench meter` makes it of a dream; the truth here is that harm takes seven tenths of the score."""
    signals = Signals()
    found = [(frame.index, signals.update(frame, *asked)) for frame, *asked in walk(seed, harm)]
    rows = [row for index, row in found if row is not None and (harm is None or index >= HARM_AT)]
    return Course(seed, True, None if harm == "flat" else harm, rows, np.full(len(rows), 0.9 if harm is None else 0.2))


@pytest.fixture(scope="module")
def fitted() -> Calibration:
    return fit([course(seed, harm) for seed in range(4) for harm in (None, "flat", *HARMS)], "abcd")


HARMS = ("noise", "actions", "conditions")


def metered(calibration: Calibration | None, steps: Iterator[Step]) -> tuple[CoherenceMeter, list[float]]:
    meter = CoherenceMeter(calibration)
    return meter, [meter.update(frame, action, asked) for frame, action, asked in steps]


def test_a_steady_walk_keeps_its_score_without_alarm(fitted: Calibration) -> None:
    meter, _ = metered(fitted, walk(11))
    assert min(meter.curve) > 0.65 and not meter.alarms


def test_a_dream_that_fades_to_bare_colour_loses_its_score(fitted: Calibration) -> None:
    meter, scores = metered(fitted, walk(12, "flat"))
    assert min(scores[:HARM_AT]) > 0.65 and scores[-1] < 0.5 and meter.half_life is not None


@pytest.mark.parametrize("harm", HARMS)
def test_harm_is_noticed_within_a_second_and_lowers_the_score(fitted: Calibration, harm: str) -> None:
    meter, scores = metered(fitted, walk(12, harm))
    assert min(scores[:HARM_AT]) > 0.65
    assert len(meter.alarms) >= 1 and 0 <= meter.alarms[0][0] - HARM_AT / STEPS_PER_SECOND <= 1
    assert scores[-1] < 0.5 and meter.worst_second is not None and meter.worst_second >= 6


def test_bare_colour_falls_without_calibration_too() -> None:
    meter, scores = metered(None, walk(12, "flat"))
    assert min(scores[:HARM_AT]) > 0.9 and scores[-1] < 0.5
    assert meter.note == "not calibrated" and not meter.summary()["calibrated"] and not meter.alarms


def test_an_event_that_was_asked_for_is_no_alarm(fitted: Calibration) -> None:
    session = SessionManager(FakeEngine((64, 36)), ASKED, 12, coherence=CoherenceMeter(fitted))
    session.begin()
    for step in range(8 * STEPS_PER_SECOND):
        if step == HARM_AT:
            session.change(biome("meadow", fog=0.9, clouds=0.9))
        session.step(Action(forward=1.0))
    assert not session.coherence.alarms and session.coherence.score > 0.7


def test_a_picture_of_no_numbers_is_worth_nothing(fitted: Calibration) -> None:
    def lost(frame: Frame) -> Frame:
        assert frame.thumbnail is not None
        return replace(frame, thumbnail=frame.thumbnail * np.nan)

    meter, scores = metered(fitted, ((lost(frame), *asked) for frame, *asked in walk(3, seconds=2)))
    assert scores[-1] == 0 and json.dumps(meter.summary(), allow_nan=False)


def test_quality_tells_what_was_reached(fitted: Calibration) -> None:
    courses = [course(seed, harm) for seed in (21, 22) for harm in (None, *HARMS)]
    found = quality([judge(fitted, {}, one) for one in courses])
    assert found["noticed"] == 1 and found["false_alarms"] <= 0.05 and found["noticed_by_picture_alone"] == 0
    assert found["worlds"] == 2 and found["spearman"] > 0.8 and found["calibration_error"] < 0.1


def test_a_world_is_judged_by_a_fit_without_it() -> None:
    courses = [course(seed, harm) for seed in range(3) for harm in (None, "noise", "actions")]
    lied = [replace(one, score=one.score * 0 + 1) if one.world == 1 else one for one in courses]
    honest, deceived = (
        [one.estimated for one in cross_validated(some) if one.course.world == 1] for some in (courses, lied)
    )
    assert len(honest) == 3
    for one, other in zip(honest, deceived, strict=True):
        np.testing.assert_allclose(one, other)


def test_a_fit_is_read_back_as_it_was_written(fitted: Calibration, tmp_path: Path) -> None:
    whole = replace(fitted, quality={"spearman": 0.8})
    assert read_calibration(tmp_path, "abcd") is None
    write_calibration(whole, tmp_path / METER)
    assert read_calibration(tmp_path, "abcd") == whole


def test_a_fit_for_other_weights_is_refused_and_said(
    fitted: Calibration, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_calibration(fitted, tmp_path / METER)
    with pytest.raises(CheckpointError, match=r"abcd, and these are ef01.*bench meter"):
        read_calibration(tmp_path, "ef01")
    engine = FakeEngine((64, 36))
    engine.info = EngineInfo("fake", checkpoint_hash="ef01")
    meter = meter_for(engine, tmp_path)
    assert meter.calibration is None and meter.note and "other weights" in capsys.readouterr().err
    engine.info = EngineInfo("fake", checkpoint_hash="abcd")
    assert meter_for(engine, tmp_path).calibration == fitted


def test_a_fit_to_what_another_engine_dreamed_is_refused_and_said(
    fitted: Calibration, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_calibration(replace(fitted, engine=ENGINE - 1), tmp_path / METER)
    with pytest.raises(CheckpointError, match=rf"engine {ENGINE - 1}, and this is engine {ENGINE}.*bench meter"):
        read_calibration(tmp_path, "abcd")
    engine = FakeEngine((64, 36))
    engine.info = EngineInfo("fake", checkpoint_hash="abcd")
    meter = meter_for(engine, tmp_path)
    assert meter.calibration is None and meter.note == "not calibrated"
    assert "not calibrated" in capsys.readouterr().err


def broken(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], bytes]:
    def encode(values: dict[str, Any]) -> bytes:
        change(values)
        return json.dumps(values).encode()

    return encode


@pytest.mark.parametrize(
    "harm",
    [
        lambda values: b"", lambda values: b"{", lambda values: b"[]", lambda values: b"\xff\xfe",
        lambda values: b"[" * 100_000, lambda values: b" " * (1 << 21), lambda values: b'{"format": 1' + b"0" * 5000,
        broken(lambda values: values.update(format="genie_lite meter 9")),
        broken(lambda values: values.update(more=1)),
        broken(lambda values: values.pop("levels")),
        broken(lambda values: values.update(levels=[1, 0], scores=[0, 1])),
        broken(lambda values: values.update(levels=[0, 1], scores=[0, 7])),
        broken(lambda values: values["score"].update(weights=[1])),
        broken(lambda values: values["score"]["weights"].__setitem__(0, float("nan"))),
        broken(lambda values: values["score"]["weights"].__setitem__(0, 1e300)),
        broken(lambda values: values["score"]["weights"].__setitem__(0, "1")),
        broken(lambda values: values["score"]["scale"].__setitem__(0, 0)),
        broken(lambda values: values["alarms"]["noise"].update(bias=None)),
        broken(lambda values: values["alarms"]["noise"].update(signals="abc")),
        broken(lambda values: values.update(alarms=[])),
        broken(lambda values: values.update(checkpoint=7)),
        broken(lambda values: values.update(engine="2")),
        broken(lambda values: values.pop("engine")),
    ],
)  # fmt: skip
def test_a_damaged_fit_is_one_line(
    harm: Callable[[dict[str, Any]], bytes], fitted: Calibration, tmp_path: Path
) -> None:
    write_calibration(fitted, tmp_path / METER)
    (tmp_path / METER).write_bytes(harm(json.loads((tmp_path / METER).read_text())))
    with pytest.raises(CheckpointError, match="no fitted meter") as refused:
        read_calibration(tmp_path, "abcd")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 500


def falling(seconds_to_zero: float) -> Calibration:
    """Falls with time alone."""
    time = Linear(("seconds",), (0.0,), (1e9,), (-1e9,), 0.0)
    return Calibration("abcd", ENGINE, time, (-seconds_to_zero, 0.0), (0.0, 1.0), {})


def test_a_world_below_the_floor_ends_and_its_report_tells(tmp_path: Path) -> None:
    write_calibration(falling(10.0), tmp_path / METER)

    class Dreamed(FakeEngine):
        def __init__(self) -> None:
            super().__init__((64, 36))
            self.info = EngineInfo("fake", checkpoint_hash="abcd", size=(64, 36))

    options = VisitOptions(off_screen=True, seconds=30.0, seed=4, coherence_floor=0.5, out=tmp_path / "out")
    assert visit(options, ASKED, Dreamed, weights=tmp_path) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["end_reason"] == str(EndReason.COHERENCE) and 7 <= report["world_time_s"] <= 9
    told = report["coherence"]
    assert told["calibrated"] and (told["best_second"], told["worst_second"]) == (0, len(told["curve"]) - 1)
    assert told["half_life_s"] == pytest.approx(6, abs=3)


def test_rising_is_the_nearest_curve_that_never_falls() -> None:
    np.testing.assert_allclose(isotonic([1, 3, 2, 2, 5]), [1, 7 / 3, 7 / 3, 7 / 3, 5])
    x = np.linspace(0, 1, 240)
    levels, scores = rising(x, x**2)
    assert all(np.diff(levels) > 0) and all(np.diff(scores) >= 0)
    np.testing.assert_allclose(np.interp(x[20:-20], levels, scores), x[20:-20] ** 2, atol=0.08)
    assert len(rising(np.zeros(5), np.ones(5))[0]) == 2


def test_rank_correlation_and_calibration_error_of_known_series() -> None:
    x = np.arange(50.0)
    assert spearman(x, np.exp(x)) == pytest.approx(1) and spearman(x, -x) == pytest.approx(-1)
    assert spearman(x, np.zeros(50)) == 0 and spearman(np.array([1.0, 1, 2, 3]), np.array([5.0, 5, 6, 7])) == 1
    assert calibration_error(x, x) == 0 and calibration_error(x, x + 0.3) == pytest.approx(0.3)


def test_alarms_are_fitted_to_stay_silent_on_clean_walks_and_can_do_without_the_engines_word() -> None:
    kinds = fit_alarms([course(seed, harm) for seed in (1, 2) for harm in (None, "noise", "actions")], ("misturned",))
    assert kinds.keys() == {"noise", "actions"} and "misturned" not in kinds["actions"].signals
    signals = Signals()
    rows = [signals.update(frame, *asked) for frame, *asked in walk(5, "noise")]
    rang = [row is not None and kinds["noise"](row) > 0 for row in rows[::JUDGED_EVERY]]
    first = HARM_AT // JUDGED_EVERY
    assert any(rang[first : first + JUDGED_PER_SECOND]) and np.mean(rang[:first]) < 0.05
