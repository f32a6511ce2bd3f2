"""The album: the views that a dream keeps in spatial memory, and which are worth a place."""

from __future__ import annotations

import torch
from torch import Tensor

from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH
from genie_lite.model.layers import to_unit
from genie_lite.model.memory import SpatialMemory
from genie_lite.model.recall import Recall

SLOTS = 256
"""Views that fit in; then the oldest make room."""

MOVED, TURNED = 1.0, 0.25
"""Metres and radians from which on a view is another one than the last that was kept."""


class Album:
    """A SpatialMemory of one world, filled in turns, with the whole pictures beside the thumbnails."""

    def __init__(self, recall: Recall) -> None:
        self.memory = SpatialMemory(1, SLOTS, torch.device("cpu"))
        self._recall = recall
        self._pictures = torch.zeros(SLOTS, 3, FRAME_HEIGHT, FRAME_WIDTH, dtype=torch.uint8)
        self._kept = 0
        self._pose = torch.full((1, 5), torch.inf, dtype=torch.float64)

    def is_new(self, pose: Tensor) -> bool:
        """Whether a frame from this pose (1 5) shows something that the last one of which this was true does not."""
        moved = (pose - self._pose).abs()
        new = bool((moved[:, :3].norm() > MOVED) | (moved[:, 3:].max() > TURNED))
        if new:
            self._pose = pose
        return new

    def keep(self, latent: Tensor, thumbnail: Tensor, pose: Tensor, worth: float = 1.0) -> None:
        """Stores a view: 1 16 18 32 and its thumbnail, 1 4 72 128, from 1 5; worth as in SpatialMemory."""
        slot = torch.tensor([self._kept % SLOTS])
        self.memory.store(slot, thumbnail, pose, torch.tensor([worth]), torch.tensor([True]))
        self._pictures[slot] = ((self._recall.picture(latent) + 1) * 127.5).round().to(torch.uint8)
        self._kept += 1

    def recalled(self, latent: Tensor, target: Tensor, age: int) -> Tensor:
        """A dreamed latent (1 16 18 32) under what the best views show of the target pose (1 5), in a
        dream of so many frames."""
        target = target.float()
        chosen = torch.cat(self.memory.best(target))
        chosen = chosen[self.memory.worth[0, chosen] > 0]
        if not len(chosen):
            return latent
        pictures = self.memory.lit(to_unit(self._pictures[chosen]), chosen)
        depth, poses = self.memory.views[0, chosen, 3:], self.memory.poses[0, chosen]
        return self._recall.over(latent, pictures, depth, poses, target, age)
