"""`genie-lite bench simulator` on the counting world with a clock of its own: what it tells, never how fast it was."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import count

import pytest
from lightly import run_lightly

pytest.importorskip("gymnasium", reason="needs the training packages")

from genie_lite.bench import simulator
from genie_lite.bench.simulator import Measured, Options
from genie_lite.cli import main


def test_it_ends_in_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    ticks = count()
    options = Options(world="counting", episodes=2, steps=9)
    assert simulator.main(options, lambda: next(ticks) * 0.004) == 0
    told = capsys.readouterr().out
    line = json.loads(told.splitlines()[-1])
    assert (line["bench"], line["world"], line["size"]) == ("simulator", "counting", "256x144")
    assert line["frames"] == 16, "two walks of nine frames: the first of each is the reset's"
    assert line["fps"] == 250 and line["mean_ms"] == line["p50_ms"] == line["p99_ms"] == line["reset_ms"] == 4
    assert line["stages_ms"] == {} and line["cpu"]
    assert "frames a second" in told and "250.0" in told


def test_it_needs_no_package_of_the_other_benchmarks() -> None:
    script = """
import sys
sys.modules.update(psutil=None, matplotlib=None)
from genie_lite.cli import main
sys.exit(main(["bench", "simulator", "--world", "counting", "--episodes", "1", "--steps", "9"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["frames"] == 8


def test_stages_and_the_rest_add_up_to_the_mean_step() -> None:
    found = Measured([4.0, 6.0], [90.0], {"walk": [1.0, 1.0], "draw": [4.0]})
    assert found.stage_means() == {"walk": 1, "draw": 2, "rest": 2} and found.fps == 200


def test_the_landscape_tells_its_stages(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("moderngl")
    assert main(["bench", "simulator", "--episodes", "1", "--steps", "12"]) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(line["stages_ms"]) == {"walk", "view", "draw", "tell", "read", "rest"}
    assert sum(line["stages_ms"].values()) == pytest.approx(line["mean_ms"], abs=0.01)


@pytest.mark.parametrize(
    ("flags", "told"), [(["--steps", "1"], "--steps 1"), (["--episodes", "0"], "--episodes 0"), (["--world", "x"], "x")]
)
def test_what_cannot_be_measured_is_one_line(flags: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "simulator", *flags]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1


def test_its_help_loads_nothing_heavy() -> None:
    assert "--episodes" in run_lightly("bench", "simulator", "--help")
