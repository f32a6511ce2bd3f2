"""The first frame's examples: where a world may begin. Nothing is optimised here; see model/first_frame.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genie_lite.conditions import BIOMES, biome
from genie_lite.data.episodes import read_episode
from genie_lite.errors import DataError
from genie_lite.model.autoencoder import Autoencoder
from genie_lite.model.first_frame import FirstFrame
from genie_lite.model.sampler import seeded_noise
from genie_lite.train.clips import LatentSet
from genie_lite.train.sheets import save_sheet

START_PITCH = 0.033
"""Only frames that look level, to half a latent cell (radians), are taken: a world begins looking ahead."""

NEAR_DEPTH, NEAR_SHARE = 0.43, 0.25
"""Nor does it begin before a wall: at most this share of the view around the horizon may be nearer than this log-depth,
6.6 m."""

PER_EPISODE = 3
"""Views of one place fit each other, and many places give conditions that are near to any that are asked for."""


def fit_first_frame(module: FirstFrame, data: LatentSet, paths: list[Path]) -> dict[str, int]:
    """Chooses open, level views from the episodes (their files in the order of data) that have most of them, or level
    ones where nothing is open; returns how many there were.

    Raises DataError if no view is level.
    """
    room = module.config.examples
    for near in (NEAR_SHARE, 1.0):
        views = sorted(
            (_starts(data, *episode, near) for episode in enumerate(paths)), key=lambda v: len(v[0]), reverse=True
        )
        rows, depths = (torch.cat(column) for column in zip(*views, strict=True))
        if len(rows) > 0:
            chosen = rows[:room]
            module.fit(data.latents[chosen].float(), depths[:room].to(chosen.device), data.conditions[chosen])
            return {"views": len(rows), "kept": room}
    raise DataError("no episode has a level view to begin a world with: collect more of them")


def _starts(data: LatentSet, episode: int, path: Path, near: float) -> tuple[Tensor, Tensor]:
    """One episode's level views with at most such a share near by, evenly spread over those that qualify: their rows,
    and their log-depth, N 72 128."""
    first, length = int(data.start[episode]), int(data.length[episode])
    at = torch.arange(0, length, 8)
    depth = torch.from_numpy(np.asarray(read_episode(path).depth[::8], np.float32))
    level = data.poses[first : first + length : 8, 4].abs().cpu() < START_PITCH
    is_open = (depth[:, 16:48] < NEAR_DEPTH).float().mean((1, 2)) <= near
    fit = torch.nonzero(level & is_open)[:, 0]
    chosen = fit[torch.linspace(0, len(fit) - 1, min(PER_EPISODE, len(fit))).long()]
    return (first + at[chosen]).to(data.latents.device), depth[chosen]


def first_frame_sheet(module: FirstFrame, autoencoder: Autoencoder, path: Path) -> None:
    """Every biome (columns) at noon, dusk and night (rows), drawn from conditions alone."""
    rows = []
    for row, hour in enumerate((12.0, 18.5, 23.0)):
        conditions = torch.stack([torch.from_numpy(biome(name, hour=hour).to_array()) for name in BIOMES])
        device = module.conditions.device
        drawn = [
            module(seeded_noise(row, column).to(device), asked[None].to(device))[0]
            for column, asked in enumerate(conditions)
        ]
        rows.append(autoencoder.decode(torch.cat(drawn)))
    save_sheet(rows, path)
