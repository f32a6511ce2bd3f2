"""The album: the views that a dream keeps in spatial memory, and which are worth a place."""

from __future__ import annotations

import torch
from torch import Tensor

from genie_lite.model.memory import SpatialMemory

SLOTS = 256
"""Views that fit in; then the oldest make room."""

MOVED, TURNED = 1.0, 0.25
"""Metres and radians from which on a view is another one than the last that was kept."""


class Album:
    """A SpatialMemory of one world, filled in turns."""

    def __init__(self, device: torch.device) -> None:
        self.memory = SpatialMemory(1, SLOTS, device)
        self._kept = 0
        self._pose = torch.full((1, 5), torch.inf, dtype=torch.float64)

    def is_new(self, pose: Tensor) -> bool:
        """Whether a frame from this pose (1 5) shows something that the last one of which this was true does not."""
        moved = (pose - self._pose).abs()
        new = bool((moved[:, :3].norm() > MOVED) | (moved[:, 3:].max() > TURNED))
        if new:
            self._pose = pose
        return new

    def keep(self, thumbnail: Tensor, pose: Tensor, worth: float = 1.0) -> None:
        """Stores a view: 1 4 72 128 from 1 5; worth as in SpatialMemory."""
        slot = torch.tensor([self._kept % SLOTS])
        self.memory.store(slot, thumbnail, pose, torch.tensor([worth]), torch.tensor([True]))
        self._kept += 1
