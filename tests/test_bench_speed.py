"""`genie-lite bench speed` on a tiny network: what it tells and leaves, never how fast it was."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from PIL import Image
from tiny import saved, tiny_model

pytest.importorskip("matplotlib", reason="needs the bench packages")
pytest.importorskip("psutil", reason="needs the bench packages")

from genie_lite.bench.window import STAGES
from genie_lite.cli import main
from genie_lite.model.checkpoint import load_model


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command for a tiny checkpoint, eager, into tmp_path/out."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    weights = saved(tmp_path / "tiny", tiny_model())
    fast = ["--runtime", "eager", "--dtype", "fp32", "--threads", "1", "--frames", "6", "--warm-up", "2"]
    return ["bench", "speed", "--checkpoint", str(weights), "--out", str(tmp_path / "out"), *fast]


def test_the_last_line_is_one_json_object_and_a_plot_is_left(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--sizes", "720p", "144p"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["bench"], result["size"]) == ("speed", "1280x720")
    assert result["stages_ms"].keys() == set(STAGES)
    assert 0 < result["p50_ms"] <= result["p95_ms"] <= result["p99_ms"]
    assert result["sizes"].keys() == {"1280x720", "256x144"} and result["sizes"]["1280x720"] == result["fps"] > 0
    assert (result["dtype"], result["threads"]) == ("float32", 1) and result["cpu"] and result["rss_mb"] > 50
    assert result["checkpoint"] == load_model(tmp_path / "tiny").hash
    report = json.loads((tmp_path / "out" / "speed.json").read_text())
    for run in report["runs"]:
        assert run["frames"] == 6 and {"coherence", "loop", "total", *STAGES} == run["stages_ms"].keys()
    with Image.open(tmp_path / "out" / "speed.png") as plot:
        assert plot.width > 500


def test_what_was_not_measured_is_null(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--sizes", "144p", "--memory", "off"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["fps"] is result["p99_ms"] is result["stages_ms"]["decode"] is None
    assert list(result["sizes"]) == ["256x144"]


@pytest.mark.parametrize(
    ("flags", "status", "told"),
    [
        (["--frames", "1"], 2, "--frames"),
        (["--sizes", "4k"], 2, "720p"),
        (["--checkpoint", "nowhere"], 1, "nowhere"),
        (["--world", "landscape"], 2, "--world or --checkpoint"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    words: list[str], flags: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, *flags]) == status
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_one_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([*words, "--out", str(tmp_path / "file" / "out")]) == 1
    assert "--out" in capsys.readouterr().err


def test_without_matplotlib_it_says_what_to_install(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name))
    assert main(words) == 1
    said = capsys.readouterr().err
    assert 'matplotlib: pip install "genie_lite[bench]"' in said and said.count("\n") == 1
