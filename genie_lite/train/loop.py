"""The one training loop: optimiser, schedule, EMA, resume, progress and several GPUs, for every part alike."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from rich.console import Console
from torch import Tensor, nn

from genie_lite.errors import DataError, OutputError
from genie_lite.files import drafted

MOST_LOST = 50
"""Batches in a row without a finite gradient until training ends: a few may happen, more are a mistake."""

WEIGHT_DECAY, MOST_GRADIENT = 0.01, 1.0
"""AdamW's, and the norm to which a larger gradient is scaled down."""

SPEAK_EVERY = 10.0
"""Seconds from one line on how training goes to the next."""


class Part(Protocol):
    """One loss over one module. It draws its own batches, seeded by rank, so that the loop knows nothing of data."""

    name: str
    module: nn.Module

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """One batch's loss with gradient, and numbers to show; progress runs from 0 to 1 over the whole training."""
        ...

    def sheet(self, module: nn.Module, path: Path) -> None:
        """Draws samples of `module` (the EMA weights) beside the truth into a picture file."""
        ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long, how fast. Training ends at `steps` or after `seconds` of training time, whichever comes first."""

    seconds: float
    learning_rate: float
    steps: int = 10_000_000
    warmup_steps: int = 100
    ema: float = 0.999
    save_every: float = 300.0


class Ranks:
    """Which process this is among those `torchrun` started; alone without it."""

    def __init__(self) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        local = int(os.environ.get("LOCAL_RANK", "0"))
        cuda = torch.cuda.is_available()
        self.device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(self.device)
        if self.size > 1 and not dist.is_initialized():
            # The others wait while the first one fits last layers and measures.
            dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(hours=1))

    def average_gradients(self, module: nn.Module) -> None:
        """Replaces every gradient by its mean over the processes, as DDP does."""
        if self.size > 1:
            gradients = [p.grad for p in module.parameters() if p.grad is not None]
            flat = torch.cat([g.reshape(-1) for g in gradients])
            dist.all_reduce(flat)
            for gradient, mean in zip(gradients, (flat / self.size).split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(mean.view_as(gradient))

    def agree(self, value: float) -> float:
        """The first process's value, in every process."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return float(shared.item())

    def share_weights(self, module: nn.Module) -> None:
        """Gives every process the first one's weights."""
        if self.size > 1:
            for tensor in (*module.parameters(), *module.buffers()):
                dist.broadcast(tensor.data, 0)


def autocast(device: torch.device) -> Any:
    """bfloat16 where it pays: on a GPU, and on processors with instructions for it."""
    fast = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16) if fast else nullcontext()


def rate(schedule: Schedule, step: int, progress: float) -> float:
    """Learning rate: linear warm-up, then flat, then a linear way down over the last 40 % of training."""
    warm = min(1.0, (step + 1) / schedule.warmup_steps)
    return schedule.learning_rate * warm * min(1.0, (1.0 - progress) / 0.4 + 0.01)


def fit(
    part: Part, schedule: Schedule, folder: Path, ranks: Ranks, publish: Callable[[nn.Module, dict[str, Any]], None]
) -> dict[str, Any]:
    """Trains a part and returns how it was made (steps, seconds, device, last numbers).

    folder holds the resume state, sample sheets and a log; publish(ema module, made) is called at every save.
    """
    console = Console(quiet=ranks.rank > 0)
    run = _Run(part, schedule, folder, ranks)
    saved, spoken = time.monotonic(), 0.0
    while (progress := run.progress()) < 1.0:
        shown = run.update(progress)
        now = time.monotonic()
        if now - spoken > SPEAK_EVERY:
            spoken = now
            console.print(run.told(progress, shown), highlight=False)
        if now - saved > schedule.save_every:
            saved = now
            run.save(publish)
    run.save(publish)
    part.module.load_state_dict(run.ema.state_dict())
    return run.made()


class _Run:
    """A part in training: its live weights, their average `ema`, and how far it has come. It begins where a stopped run
    has left off. Raises DataError for a state that cannot be used."""

    def __init__(self, part: Part, schedule: Schedule, folder: Path, ranks: Ranks) -> None:
        self._part, self._schedule, self._folder, self._ranks = part, schedule, folder, ranks
        # PyTorch's annotations do not know that a module, like a tensor, has a memory format.
        self._module = part.module.to(ranks.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        ranks.share_weights(self._module)
        self.ema = deepcopy(self._module).eval()
        self._trained = [p for p in self._module.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._trained, schedule.learning_rate, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY, fused=True
        )
        self._state = folder / f"{part.name}.resume.pt"
        self._step, self._spent = _resume(self._state, self._module, self.ema, self._optimizer, ranks.device)
        self._first_step, self._started = self._step, time.monotonic()
        self._numbers: dict[str, float] = {}
        self._lost = 0
        self._module.train()

    def progress(self) -> float:
        """How far training has come, from 0 to 1; the same in every process."""
        done = max(self._step / self._schedule.steps, self._elapsed() / self._schedule.seconds)
        return self._ranks.agree(min(1.0, done))

    def update(self, progress: float) -> dict[str, Tensor]:
        """Takes one batch; gives the numbers to show. Raises DataError after MOST_LOST without a finite gradient."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate(self._schedule, self._step, progress)
        with autocast(self._ranks.device):
            loss, shown = self._part.loss(progress)
        self._lost = 0 if self._descend(loss) else self._lost + 1
        if self._lost == MOST_LOST:
            raise DataError(
                f"{self._part.name} has learned nothing for {self._lost} batches: its gradient is not finite. "
                f"Delete {self._state} and start again with a lower --learning-rate"
            )
        _follow(self.ema, self._module, min(self._schedule.ema, (self._step + 1) / (self._step + 10)))
        self._step += 1
        return shown

    def _descend(self, loss: Tensor) -> bool:
        """One step down the loss's gradient; False where that is not finite and the weights stay as they are."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._ranks.average_gradients(self._module)
        finite = bool(torch.isfinite(torch.nn.utils.clip_grad_norm_(self._trained, MOST_GRADIENT)))
        if finite:
            self._optimizer.step()
        return finite

    def told(self, progress: float, shown: dict[str, Tensor]) -> str:
        """A line on how training goes, with the numbers shown, which `made` tells from now on."""
        self._numbers = {name: round(value.item(), 5) for name, value in shown.items()}
        left = self._elapsed() / max(progress, 1e-6) - self._elapsed()
        pace = (self._step - self._first_step) / max(time.monotonic() - self._started, 1e-6)
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in self._numbers.items())
        how_far = f"{self._part.name} {progress:5.1%}  step {self._step}  {pace:.1f}/s  {left / 60:.1f} min left"
        return f"{how_far}  {numbers}"

    def made(self) -> dict[str, Any]:
        """How the part was made so far."""
        device = torch.cuda.get_device_name() if self._ranks.device.type == "cuda" else "CPU"
        workers = f"{self._ranks.size} x {device}"
        return {"steps": self._step, "seconds": round(self._elapsed()), "device": workers, **self._numbers}

    def save(self, publish: Callable[[nn.Module, dict[str, Any]], None]) -> None:
        """Leaves the resume state, the published weights and a sheet; the first process does. Raises OutputError."""
        if self._ranks.rank == 0:
            _save(self._state, self._module, self.ema, self._optimizer, self._step, self._elapsed())
            publish(self.ema, self.made())
            self._part.sheet(self.ema, self._folder / f"{self._part.name}.png")

    def _elapsed(self) -> float:
        """Seconds of training, those of stopped runs included."""
        return self._spent + time.monotonic() - self._started


@torch.no_grad()
def _follow(ema: nn.Module, module: nn.Module, decay: float) -> None:
    """Moves averaged weights to the live ones, so that a share `decay` of them stays; buffers are taken over."""
    torch._foreach_lerp_(list(ema.parameters()), list(module.parameters()), 1 - decay)
    for kept, live in zip(ema.buffers(), module.buffers(), strict=True):
        kept.copy_(live)


def _save(
    path: Path, module: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer, step: int, spent: float
) -> None:
    state = {"module": module.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict()}
    try:
        with drafted(path) as draft:
            torch.save({**state, "step": step, "spent": spent}, draft)
    except (OSError, RuntimeError) as error:
        raise OutputError(f"cannot write the training state {path}: {error}; free space and start again") from error


def _resume(
    path: Path, module: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> tuple[int, float]:
    """Steps and seconds already done; (0, 0) where there is nothing to go on from."""
    if not path.is_file():
        return 0, 0.0
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        module.load_state_dict(state["module"])
        ema.load_state_dict(state["ema"])
        optimizer.load_state_dict(state["optimizer"])
    except Exception as error:  # torch.load raises many kinds for a torn file
        raise DataError(f"the training state {path} cannot be used ({error}); delete it to start anew") from error
    return int(state["step"]), float(state["spent"])
