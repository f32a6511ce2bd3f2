"""What tests of training share."""

import os
import socket
import time
from pathlib import Path
from typing import Any

import torch

from genie_lite.train.loop import Part, Ranks, Schedule, fit


def fitted(part: Part, folder: Path, steps: int, learning_rate: float = 5e-3) -> dict[str, Any]:
    """Trains for `steps` without drawing sheets."""
    part.sheet = lambda module, path: None
    schedule = Schedule(seconds=1e6, steps=steps, learning_rate=learning_rate, warmup_steps=2, ema=0.8)
    return fit(part, schedule, folder, Ranks(), lambda ema, made: None)


def free_port() -> int:
    """A port on which processes may meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def join(rank: int, port: int) -> None:
    """Makes this process one of two, as torchrun does."""
    os.environ.update(RANK=str(rank), LOCAL_RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)


def leave() -> None:
    """Ends it: gloo aborts a process whose peer hangs up before it, so each waits, and gives the other time to come out
    of the waiting."""
    torch.distributed.barrier()
    time.sleep(0.5)
    torch.distributed.destroy_process_group()


def mean_loss(part: Part) -> float:
    torch.manual_seed(1)
    return sum(float(part.loss(0.0)[0].detach()) for _ in range(6)) / 6
