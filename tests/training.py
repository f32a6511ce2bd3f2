"""What tests of training share."""

from pathlib import Path
from typing import Any

import torch

from genie_lite.train.loop import Part, Ranks, Schedule, fit


def fitted(part: Part, folder: Path, steps: int, learning_rate: float = 5e-3) -> dict[str, Any]:
    """Trains for `steps` without drawing sheets."""
    part.sheet = lambda module, path: None
    schedule = Schedule(seconds=1e6, steps=steps, learning_rate=learning_rate, warmup_steps=2, ema=0.8)
    return fit(part, schedule, folder, Ranks(), lambda ema, made: None)


def mean_loss(part: Part) -> float:
    torch.manual_seed(1)
    return sum(float(part.loss(0.0)[0].detach()) for _ in range(6)) / 6
