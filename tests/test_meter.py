"""`genie-lite bench meter` with a tiny model and a world that only counts: dreams, sabotage, what is kept, a fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tiny import saved, shaken, tiny_model

from genie_lite.actions import Action
from genie_lite.bench import meter, trials
from genie_lite.bench.trials import SABOTAGES, Trial, frames_of, load_trial, opposite, roll_out, save_trial
from genie_lite.engine import shipped
from genie_lite.engine.dream import DreamEngine, EngineOptions
from genie_lite.errors import GenieLiteError, OutputError, UsageError
from genie_lite.model import judge
from genie_lite.session.calibration import read_calibration
from genie_lite.session.signals import JUDGED_EVERY
from genie_lite.worlds import make_world


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("checkpoint"), shaken(tiny_model()))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "LENGTHS", (2,))
    monkeypatch.setattr(trials, "HARM_SECONDS", 0.5)
    monkeypatch.setattr(trials, "HISTORIES", (7,))


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> DreamEngine:
    options = EngineOptions(checkpoint, quality="144p", runtime="eager", dtype="fp32", threads=1)
    return DreamEngine.load(options)


@pytest.fixture
def trial(engine: DreamEngine) -> Trial:
    return roll_out(engine, make_world("counting"), 1)


def test_a_trial_is_a_dream_under_the_true_actions_and_three_that_are_harmed(trial: Trial) -> None:
    clean = trial.clean
    assert trial.memory and clean.steps.tolist() == list(range(1, 49)) and len(clean.images) == 8
    assert set(trial.harmed) == set(SABOTAGES)
    np.testing.assert_array_equal(clean.asked, clean.given)
    for name, harmed in trial.harmed.items():
        begin = int(harmed.steps[0])
        same = clean.steps >= begin
        same &= clean.steps <= harmed.steps[-1]
        assert 14 <= begin <= 39 and len(harmed.steps) == 12 == same.sum()
        np.testing.assert_array_equal(harmed.actions, clean.actions[same])
        assert (np.abs(harmed.given - harmed.asked).max() > 0.5) == (name == "conditions")
        judged = clean.steps[clean.steps % JUDGED_EVERY == 0]
        rows = (judged >= begin) & (judged <= harmed.steps[-1])
        np.testing.assert_array_equal(harmed.truths, clean.truths[rows])
        assert not np.array_equal(harmed.latents, clean.latents[rows])


def test_noise_is_seen_at_once_and_wrong_actions_lead_elsewhere(trial: Trial) -> None:
    noise, actions = trial.harmed["noise"], trial.harmed["actions"]
    clean = trial.clean.latents[int(noise.steps[0]) // JUDGED_EVERY :][: len(noise.latents)]
    assert float(np.abs(noise.latents - clean).mean()) > 0.1
    assert np.abs(actions.poses[-1] - trial.clean.poses[int(actions.steps[-1]) - 1]).max() > 0.1


def test_a_trial_is_read_back_as_it_was_written(trial: Trial, tmp_path: Path) -> None:
    save_trial(trial, tmp_path / "trial.npz")
    again = load_trial(tmp_path / "trial.npz")
    assert (again.number, again.memory, set(again.harmed)) == (trial.number, trial.memory, set(trial.harmed))
    np.testing.assert_array_equal(again.clean.images, trial.clean.images)
    np.testing.assert_array_equal(again.harmed["noise"].seen, trial.harmed["noise"].seen)
    (tmp_path / "trial.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(OutputError, match="delete it"):
        load_trial(tmp_path / "trial.npz")


def test_frames_are_what_the_meter_saw(trial: Trial) -> None:
    frames = list(frames_of(trial.clean))
    assert [frame.index for frame, _, _ in frames] == list(range(1, 49))
    for frame, action, asked in frames:
        at = frame.index - 1
        assert frame.pose.to_array() == pytest.approx(trial.clean.poses[at])
        assert action.to_array() == pytest.approx(trial.clean.actions[at]) and asked == frame.conditions
        assert (frame.latent is not None) == (frame.seen is not None) == (frame.index % JUDGED_EVERY == 0)
    part = trial.clean.until(15)
    assert part.steps[-1] == 14 and len(part.images) == len(part.latents) == 2


@pytest.mark.parametrize("action", [Action(), Action(forward=1.0, turn=0.5), Action(strafe=-1.0, look=0.2)])
def test_the_opposite_of_an_action_is_another(action: Action) -> None:
    other = opposite(action)
    assert (other.forward, other.strafe, other.look) == (-action.forward, -action.strafe, -action.look)
    assert other != action


def test_the_command_dreams_fits_tests_and_goes_on(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def distance(one: Any, other: Any) -> Any:
        return np.abs(one.astype(np.float32) - other).mean((1, 2, 3)) / 128

    monkeypatch.setattr(shipped, "find_judge", lambda folder, world: folder)
    monkeypatch.setattr(judge, "load_judge", lambda folder: SimpleNamespace(distance=distance))
    options = meter.Options("counting", checkpoint, 16, False, False, "eager", "fp32", 1, tmp_path)
    with pytest.raises(GenieLiteError, match="no fitted meter"):
        meter.main(replace(options, check=True))
    assert meter.main(options) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["bench"] == "meter" and line["worlds"] == 16 and line["seconds"] > 16
    for name in ("spearman", "calibration_error", "noticed", "false_alarms", "spearman_clean_by_time_alone"):
        assert -1 <= line[name] <= 1
    fitted = read_calibration(checkpoint, line["checkpoint"])
    assert fitted is not None and fitted.quality["spearman"] == line["spearman"]
    before = (checkpoint / "meter.json").read_bytes()
    assert meter.main(replace(options, check=True)) == 0
    check = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert check["check"] and check["worlds"] == 16 and (checkpoint / "meter.json").read_bytes() == before
    assert check["spearman"] != line["spearman"], "other worlds"
    monkeypatch.setattr(trials, "roll_out", lambda *_: pytest.fail("dreamed again"))
    assert meter.main(replace(options, trials=20, only_fit=True)) == 0
    with pytest.raises(GenieLiteError, match="without --only-fit"):
        meter.main(replace(options, only_fit=True, out=tmp_path / "empty"))


def test_bad_wishes_are_refused() -> None:
    with pytest.raises(UsageError, match="--trials 3"):
        meter.Options(trials=3)
    with pytest.raises(UsageError, match="--threads 0"):
        meter.Options(threads=0)
