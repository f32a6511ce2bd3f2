"""Networks kept converted for the next start: the same numbers whichever way they came, and nothing can go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import tiny_model
from torch import Tensor

from genie_lite.engine.runtime import KEPT, cache_folder, compile_network
from genie_lite.model.dynamics import Dynamics

pytest.importorskip("openvino")

INPUTS = (torch.randn(1, 16, 18, 32), torch.randn(1, 64, 18, 32), torch.rand(1, 8, 72, 128), torch.randn(1, 32))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_folder()


@pytest.fixture
def network() -> Dynamics:
    torch.manual_seed(1)
    made = tiny_model().dynamics
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return made


def dreamed(network: Dynamics) -> Tensor:
    return compile_network(network, INPUTS, "openvino", "fp32", 1)(*INPUTS)


def test_a_kept_network_gives_the_same_numbers(network: Dynamics, folder: Path) -> None:
    first = dreamed(network)
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*.bin")}
    assert len(kept) == 1
    assert torch.equal(dreamed(network), first)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.bin")} == kept, "nothing was converted again"


def test_other_weights_are_another_network(network: Dynamics, folder: Path) -> None:
    first = dreamed(network)
    with torch.no_grad():
        next(network.parameters()).add_(1.0)
    assert not torch.equal(dreamed(network), first)
    assert len(list(folder.glob("*.xml"))) == 2


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_a_damaged_file_is_made_anew(suffix: str, network: Dynamics, folder: Path) -> None:
    first = dreamed(network)
    (damaged,) = folder.glob(f"*{suffix}")
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert torch.equal(dreamed(network), first)
    assert damaged.stat().st_size > 100


def test_without_a_place_to_keep_it_a_network_runs_all_the_same(
    network: Dynamics, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dreamed(network)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert torch.equal(dreamed(network), first)


def test_only_so_many_are_kept(network: Dynamics, folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(KEPT + 3):
        for suffix in (".xml", ".bin"):
            (folder / f"old-{number}{suffix}").touch()
    dreamed(network)
    assert len(list(folder.glob("*.xml"))) == len(list(folder.glob("*.bin"))) == KEPT
