"""What the judge is trained on: frames of episodes, places under many skies, and all of them mirrored and damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from genie_lite.data.episodes import list_episodes, read_episode
from genie_lite.data.skies import places_under_skies
from genie_lite.files import drafted
from genie_lite.model.layers import to_unit

LONG = 100
DAMAGED = 0.4
"""Share of what is drawn that is blurred, given noise and tinted, so that the judge can read dreams too."""

MOST_NOISE = 0.15
SKIES = 16
"""Views of each place that is drawn under other skies."""


@dataclass(slots=True)
class Views:
    """N frames: frames uint8 N 144 256 3, depth float16 N 72 128 (log-depth), conditions N 18."""

    frames: Tensor
    depth: Tensor
    conditions: Tensor

    def to(self, device: torch.device) -> Views:
        """The same on a device."""
        return Views(self.frames.to(device), self.depth.to(device), self.conditions.to(device))

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """So many at random, half of them mirrored: frames float B 3 144 256 in [-1, 1], depth B 1 72 128, conditions
        B 18. random: of the device that they lie on."""
        pick = torch.randint(len(self.frames), (count,), generator=random, device=random.device)
        frames, depth = to_unit(self.frames[pick].permute(0, 3, 1, 2)), self.depth[pick].float()[:, None]
        flip = (torch.rand(count, generator=random, device=random.device) < 0.5)[:, None, None, None]
        frames, depth = (torch.where(flip, x.flip(3), x) for x in (frames, depth))
        return frames, depth, self.conditions[pick]


def load_views(folder: Path, split: str, most: int) -> Views:
    """About `most` frames (130 KB each), half of them from each kind of episode: at random places, as many in each
    short one (under LONG frames) as in every other short one, and likewise in the long ones."""
    random = np.random.default_rng(0)
    paths = list_episodes(folder, split)
    lengths = np.array([len(read_episode(path)) for path in paths])
    kinds = [lengths < LONG, lengths >= LONG]
    share = most / sum(kind.any() for kind in kinds)
    columns: list[list[Tensor]] = [[], [], []]
    for kind in kinds:
        for index in np.flatnonzero(kind):
            count = min(max(1, round(share / kind.sum())), int(lengths[index]))
            at = np.sort(random.choice(lengths[index], count, replace=False))
            episode = read_episode(paths[index])
            parts: tuple[NDArray[Any], ...] = (episode.frames, episode.depth, episode.conditions)
            for column, part in zip(columns, parts, strict=True):
                column.append(torch.from_numpy(part[at]))
    return Views(*(torch.cat(column) for column in columns))


def under_skies(views: Views, folder: Path, places: int, cache: Path) -> Views:
    """The views, and SKIES more of each of so many places under skies of their own, which the episodes' world draws
    unless the cache folder has them. Raises RenderError where it cannot draw."""
    path = cache / f"skies-{places}x{SKIES}.safetensors"
    if not path.is_file():
        world = read_episode(list_episodes(folder, "train")[0]).world
        drawn = {k: torch.from_numpy(v) for k, v in places_under_skies(world, places, SKIES)._asdict().items()}
        with drafted(path) as draft:
            save_file(drawn, draft)
    drawn = load_file(path, device=str(views.frames.device))
    return Views(*(torch.cat([getattr(views, name), drawn[name]]) for name in ("frames", "depth", "conditions")))


def damaged(frames: Tensor, random: torch.Generator, length: int = 2) -> tuple[Tensor, Tensor]:
    """Blurs, tints and adds coarse and fine noise to a share DAMAGED of N stretches of `length` frames each.

    frames: length*N 3 H W, first the first frame of every stretch, then the second of every one, and so on. Returns
    frames of the same shape, and the strength of blur and noise in each, length*N 2 in [0, 1]. Within a stretch all
    frames have the same blur, tint and strength of noise. random: of the frames' device.
    """
    stretches, device = frames.unflatten(0, (length, -1)), frames.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random, device=device)

    hit = torch.nonzero(uniform(stretches.shape[1]) < DAMAGED).squeeze(1)
    damage = torch.zeros(length, stretches.shape[1], 2, device=device)
    if len(hit) == 0:
        return frames, damage.flatten(0, 1)
    blur, noise = uniform(len(hit)), uniform(len(hit)) * (uniform(len(hit)) < 0.6)
    radius = int(torch.randint(1, 4, (), generator=random, device=device))  # one for all of them, to be cheap
    clean = stretches[:, hit]
    soft = F.avg_pool2d(clean.flatten(0, 1), 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)
    coarse = F.interpolate(uniform(length * len(hit), 3, 18, 32), scale_factor=8, mode="bilinear")
    grain = coarse + uniform(*soft.shape) - 1
    tint, shift = (0.1 * (uniform(len(hit), 3, 1, 1) - 0.5) for _ in range(2))
    spoilt = torch.lerp(clean, soft.view_as(clean), blur[:, None, None, None]) * (1 + tint) + shift
    spoilt = spoilt + grain.view_as(clean) * (2 * MOST_NOISE * noise[:, None, None, None])
    stretches = stretches.clone()
    stretches[:, hit] = spoilt.clamp(-1, 1)
    damage[:, hit] = torch.stack([blur * radius / 3, noise], 1)
    return stretches.flatten(0, 1), damage.flatten(0, 1)
