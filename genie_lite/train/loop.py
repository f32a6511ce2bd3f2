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

MOST_LOST = 50
"""Batches in a row without a finite gradient until training ends: a few may happen, more are a mistake."""


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
    steps: int = 10_000_000
    learning_rate: float = 8e-4
    warmup_steps: int = 100
    ema: float = 0.999
    weight_decay: float = 0.01
    clip: float = 1.0
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
    module = part.module.to(ranks.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    ranks.share_weights(module)
    trained = [p for p in module.parameters() if p.requires_grad]
    ema = deepcopy(module).eval()
    optimizer = torch.optim.AdamW(
        trained, schedule.learning_rate, betas=(0.9, 0.98), weight_decay=schedule.weight_decay, fused=True
    )
    state_path = folder / f"{part.name}.resume.pt"
    step, spent = _resume(state_path, module, ema, optimizer, ranks.device)
    numbers: dict[str, float] = {}
    started, saved, spoken, first_step = time.monotonic(), time.monotonic(), 0.0, step
    lost = 0
    module.train()

    def elapsed() -> float:
        return spent + time.monotonic() - started

    def made() -> dict[str, Any]:
        device = torch.cuda.get_device_name() if ranks.device.type == "cuda" else "CPU"
        return {"steps": step, "seconds": round(elapsed()), "device": f"{ranks.size} x {device}", **numbers}

    while True:
        progress = ranks.agree(min(1.0, max(step / schedule.steps, elapsed() / schedule.seconds)))
        if progress >= 1.0:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate(schedule, step, progress)
        with autocast(ranks.device):
            loss, shown = part.loss(progress)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        ranks.average_gradients(module)
        norm = torch.nn.utils.clip_grad_norm_(trained, schedule.clip)
        if torch.isfinite(norm):
            optimizer.step()
            lost = 0
        else:
            lost += 1
            if lost == MOST_LOST:
                raise DataError(
                    f"{part.name} has learned nothing for {lost} batches: its gradient is not finite. "
                    f"Delete {state_path} and start again with a lower --learning-rate"
                )
        decay = min(schedule.ema, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), list(module.parameters()), 1 - decay)
            for kept, live in zip(ema.buffers(), module.buffers(), strict=True):
                kept.copy_(live)
        step += 1
        now = time.monotonic()
        if now - spoken > 10:
            spoken = now
            numbers = {name: round(value.item(), 5) for name, value in shown.items()}
            left = elapsed() / max(progress, 1e-6) - elapsed()
            pace = (step - first_step) / max(now - started, 1e-6)
            text = "  ".join(f"{name} {value:.4f}" for name, value in numbers.items())
            console.print(
                f"{part.name} {progress:5.1%}  step {step}  {pace:.1f}/s  {left / 60:.1f} min left  {text}",
                highlight=False,
            )
        if now - saved > schedule.save_every:
            saved = now
            if ranks.rank == 0:
                _save(state_path, module, ema, optimizer, step, elapsed())
                publish(ema, made())
                part.sheet(ema, folder / f"{part.name}.png")
    if ranks.rank == 0:
        _save(state_path, module, ema, optimizer, step, elapsed())
        publish(ema, made())
        part.sheet(ema, folder / f"{part.name}.png")
    part.module.load_state_dict(ema.state_dict())
    return made()


def _save(
    path: Path, module: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer, step: int, spent: float
) -> None:
    state = {"module": module.state_dict(), "ema": ema.state_dict(), "optimizer": optimizer.state_dict()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({**state, "step": step, "spent": spent}, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)
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
