"""The training loop: it goes on where it was stopped, says what is wrong, and several processes train as one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("gymnasium", reason="needs the training packages")

from training import fitted, free_port, join, leave

from genie_lite.errors import DataError, OutputError
from genie_lite.train.loop import Ranks, Schedule, fit


class Guess:
    """The smallest part: one number that must become `goal`."""

    name = "guess"

    def __init__(self, goal: float = 1.0) -> None:
        self.module: nn.Module = nn.Linear(1, 1, bias=False)
        self.goal = goal
        nn.init.zeros_(self.module.weight)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Squared error."""
        loss = (self.module(torch.ones(1, 1, device=self.module.weight.device)) - self.goal).square().mean()
        return loss, {"loss": loss.detach()}

    def sheet(self, module: nn.Module, path: Path) -> None:
        """Nothing to see."""


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    first = Guess()
    assert fitted(first, tmp_path, 5)["steps"] == 5
    weight = first.module.weight.item()
    second = Guess()
    seen: list[int] = []
    loss = second.loss
    second.loss = lambda progress: (seen.append(1), loss(progress))[1]
    made = fitted(second, tmp_path, 9)
    assert made["steps"] == 9 and len(seen) == 4
    assert second.module.weight.item() > weight > 0


def test_a_loss_whose_gradient_is_not_finite_is_an_error_and_some_such_batches_are_none(tmp_path: Path) -> None:
    broken, shaky = Guess(), Guess()
    loss, batches = shaky.loss, iter(range(1000))
    broken.loss = lambda progress: ((loss(progress)[0] + broken.module.weight.sum()) / 0, {})
    with pytest.raises(DataError, match=r"guess has learned nothing.*start again with a lower --learning-rate"):
        fitted(broken, tmp_path / "broken", 1000)

    def now_and_then(progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        told, shown = loss(progress)
        return (told / 0 if next(batches) % 2 else told), shown

    shaky.loss = now_and_then
    assert fitted(shaky, tmp_path / "shaky", 300)["steps"] == 300
    assert shaky.module.weight.item() > 0.3


def test_a_finished_run_stays_as_it_is(tmp_path: Path) -> None:
    first, second = Guess(), Guess()
    fitted(first, tmp_path, 5)
    assert fitted(second, tmp_path, 5)["steps"] == 5
    assert first.module.weight.item() == second.module.weight.item()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "torn": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "empty": lambda path: path.write_bytes(b""),
    "of another shape": lambda path: torch.save({"module": nn.Linear(2, 2).state_dict()}, path),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_training_state_that_cannot_be_used_is_said(kind: str, tmp_path: Path) -> None:
    fitted(Guess(), tmp_path, 2)
    DAMAGE[kind](tmp_path / "guess.resume.pt")
    with pytest.raises(DataError, match="delete it to start anew"):
        fitted(Guess(), tmp_path, 4)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        fitted(Guess(), tmp_path / "file" / "training", 2)


def test_a_gradient_that_is_not_finite_is_left_out(tmp_path: Path) -> None:
    part = Guess()
    loss, calls = part.loss, []

    def sometimes_broken(progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        calls.append(1)
        value, shown = loss(progress)
        return (value * float("nan") if len(calls) == 2 else value), shown

    part.loss = sometimes_broken
    fitted(part, tmp_path, 4)
    assert 0 < part.module.weight.item() < 1


# --- several processes ------------------------------------------------------------------------------------------


class Line:
    """Eight points for a line, and which of them this process sees; keeps its losses."""

    name = "line"

    def __init__(self, points: slice) -> None:
        random = torch.Generator().manual_seed(0)
        self.given, self.wanted = (torch.randn(8, n, generator=random)[points] for n in (3, 1))
        self.module: nn.Module = nn.Linear(3, 1)
        self.losses: list[float] = []

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Squared error."""
        with torch.autocast("cpu", enabled=False):
            loss = (self.module(self.given) - self.wanted).square().mean()
        self.losses.append(loss.item())
        return loss, {"loss": loss.detach()}

    def sheet(self, module: nn.Module, path: Path) -> None:
        """Nothing to see."""


@dataclass(frozen=True)
class Seen:
    """What one process reports: gradients after averaging, agreement, and a training's losses and last weights."""

    gradients: list[float]
    agreed: float
    losses: list[float]
    weights: list[float]


def _train(part: Line, seed: int, folder: Path, ranks: Ranks) -> list[float]:
    torch.manual_seed(seed)
    part.module = nn.Linear(3, 1)
    schedule = Schedule(seconds=1e6, steps=40, learning_rate=0.1, warmup_steps=1, ema=0.5)
    fit(part, schedule, folder, ranks, lambda ema, made: None)
    return torch.cat([p.detach().flatten() for p in part.module.parameters()]).tolist()


def _one_of_two(rank: int, port: int, folder: str) -> None:
    join(rank, port)
    ranks = Ranks()
    module = nn.ModuleList([nn.Linear(1, 1), nn.Conv2d(1, 1, 1), nn.Linear(1, 1)])
    for number, parameter in enumerate(module[:2].parameters()):
        parameter.grad = torch.full_like(parameter, (rank + 1.0) * 10**number)
    ranks.average_gradients(module)
    gradients = [float(parameter.grad) for parameter in module[:2].parameters()]
    part = Line(slice(rank, None, 2))
    weights = _train(part, rank, Path(folder) / str(rank), ranks)
    seen = Seen(gradients, ranks.agree(float(rank + 7)), part.losses, weights)
    (Path(folder) / f"{rank}.json").write_text(json.dumps(asdict(seen)))
    leave()


def test_two_processes_train_as_one_with_twice_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    torch.multiprocessing.spawn(_one_of_two, (free_port(), str(tmp_path)), nprocs=2)
    one, other = (Seen(**json.loads((tmp_path / f"{rank}.json").read_text())) for rank in (0, 1))
    assert one.gradients == other.gradients == pytest.approx([1.5, 15, 150, 1500])
    assert one.agreed == other.agreed == 7.0
    assert one.weights == other.weights, "though they began apart"
    whole = Line(slice(None))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert one.weights == pytest.approx(_train(whole, 0, tmp_path / "whole", Ranks()), abs=1e-5)
    both = [(a + b) / 2 for a, b in zip(one.losses, other.losses, strict=True)]
    assert both == pytest.approx(whole.losses, abs=1e-5) and whole.losses[-1] < 0.7 * whole.losses[0]
