"""The first frame's examples: where a world may begin. Nothing is optimised here; see model/first_frame.py."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from genie_lite.conditions import BIOMES, biome
from genie_lite.errors import DataError
from genie_lite.model.autoencoder import Autoencoder
from genie_lite.model.first_frame import FirstFrame
from genie_lite.model.sampler import seeded_noise
from genie_lite.train.clips import LatentSet
from genie_lite.train.sheets import save_sheet

START_PITCH = 0.12
"""Only frames that look about level (radians) are taken: a world begins looking ahead."""

NEAR_DEPTH, NEAR_SHARE = 0.43, 0.25
"""Nor does it begin before a wall: at most this share of the view around the horizon may be nearer than this log-depth,
6.6 m."""

PER_EPISODE = 6


def fit_first_frame(module: FirstFrame, data: LatentSet, autoencoder: Autoencoder) -> dict[str, int]:
    """Chooses open, level views from the episodes that have most of them, or level ones where nothing is open; returns
    how many there were.

    Raises DataError if no view is level.
    """
    episodes, room = range(len(data.start)), module.config.examples
    for near in (NEAR_SHARE, 1.0):
        # Several views of one place fit each other; one view each of many places do not.
        views = sorted((_starts(data, episode, autoencoder, near) for episode in episodes), key=len, reverse=True)
        rows = torch.cat(views)
        if len(rows) > 0:
            module.fit(data.latents[rows[:room]].float(), data.conditions[rows[:room]])
            return {"views": len(rows), "kept": room}
    raise DataError("no episode has a level view to begin a world with: collect more of them")


@torch.no_grad()
def _starts(data: LatentSet, episode: int, autoencoder: Autoencoder, near: float) -> Tensor:
    """Rows of one episode's level views with at most such a share near by, evenly spread over those that qualify."""
    first = int(data.start[episode])
    rows = torch.arange(first, first + int(data.length[episode]), 8, device=data.latents.device)
    pitch = data.poses[rows, 4:]
    depth = autoencoder.thumbnail(data.latents[rows].float(), pitch)[:, 3, :, 16:48]
    rows = rows[(pitch[:, 0].abs() < START_PITCH) & ((depth < NEAR_DEPTH).float().mean((1, 2)) <= near)]
    return rows[torch.linspace(0, len(rows) - 1, min(PER_EPISODE, len(rows))).long()]


def first_frame_sheet(module: FirstFrame, autoencoder: Autoencoder, path: Path) -> None:
    """Every biome (columns) at noon, dusk and night (rows), drawn from conditions alone."""
    rows = []
    for row, hour in enumerate((12.0, 18.5, 23.0)):
        conditions = torch.stack([torch.from_numpy(biome(name, hour=hour).to_array()) for name in BIOMES])
        noise = torch.cat([seeded_noise(row, column) for column in range(len(BIOMES))])
        device = module.examples.device
        rows.append(autoencoder.decode(module(noise.to(device), conditions.to(device))))
    save_sheet(rows, path)
