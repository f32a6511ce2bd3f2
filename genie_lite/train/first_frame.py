"""The first frame's examples: where a world may begin. Nothing is optimised here; see model/first_frame.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genie_lite.conditions import BIOMES, CONDITION_NAMES, LAND, biome
from genie_lite.data.episodes import read_episode
from genie_lite.errors import DataError
from genie_lite.model.autoencoder import Autoencoder, ConditionsHead
from genie_lite.model.first_frame import FirstFrame
from genie_lite.model.sampler import seeded_noise
from genie_lite.train.clips import LatentSet
from genie_lite.train.sheets import save_sheet

FOG = CONDITION_NAMES.index("fog")
"""Then come rain and snowfall."""

START_PITCH = 0.033
"""Only frames that look level, to half a latent cell (radians), are taken: a world begins looking ahead."""

NEAR_DEPTH, NEAR_SHARE = 0.43, 0.25
"""Nor does it begin before a wall: at most this share of the view around the horizon may be nearer than this log-depth,
6.6 m."""

PER_EPISODE = 3
"""Views of one place fit each other, and many places give conditions that are near to any that are asked for."""

THICKEST, WETTEST = 0.45, 0.25
"""Fog, and rain or snowfall, up to which examples are taken while there are enough: another light can lay weather over
a view, but not take it off without a trace."""

READ = 0.5
"""Share of what the conditions head reads in the biomes that a view shows: of a mixed country, it may show one part."""


def fit_first_frame(module: FirstFrame, data: LatentSet, paths: list[Path], head: ConditionsHead) -> dict[str, int]:
    """Chooses open, level views in clear weather, evenly from all episodes (their files in the order of data), or other
    level ones where there are too few; `head` reads off them what they show. Returns how many there were.

    Raises DataError if no view is level.
    """
    room = module.config.examples
    for near in (NEAR_SHARE, 1.0):
        views = [_starts(data, *episode, near) for episode in enumerate(paths)]
        rows, depths = (torch.cat(column) for column in zip(*views, strict=True))
        if len(rows) > 0:
            told = data.conditions[rows]
            with torch.no_grad():
                read = torch.cat([head(latents.float()) for latents in data.latents[rows].split(256)])
            clear = (told[:, FOG] < THICKEST) & (told[:, FOG + 1 : FOG + 3].amax(1) < WETTEST)
            fitting = clear & (read[:, : len(BIOMES)].argmax(1) == told[:, : len(BIOMES)].argmax(1))
            chosen = fitting if int(fitting.sum()) >= room else torch.ones_like(fitting)
            module.fit(data.latents[rows[chosen]].float(), depths.to(rows.device)[chosen], shown(told, read)[chosen])
            return {"views": len(rows), "fitting": int(fitting.sum()), "kept": room}
    raise DataError("no episode has a level view to begin a world with: collect more of them")


def shown(told: Tensor, read: Tensor) -> Tensor:
    """What views show of their worlds' conditions, N 18, where N 18 is read off them: a village that lies behind one's
    back is none. What is read of the land is no more than an expectation, and so only tells their order: the view that
    reads most of something gets the most that any world has of it, and so on down."""
    found = told.clone()
    for name in LAND:
        column = CONDITION_NAMES.index(name)
        found[read[:, column].argsort(), column] = told[:, column].sort().values
    biomes = read[:, : len(BIOMES)].clamp_min(0)
    found[:, : len(BIOMES)] += READ * (biomes / biomes.sum(1, keepdim=True).clamp_min(1e-3) - told[:, : len(BIOMES)])
    return found


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
