"""What the judge reads off pictures: how far things are, what country and weather they show, and which keys move them.
Small networks behind features that stay as they are (see judge.py). Shapes are B C H W."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.conditions import BIOMES, STRENGTHS
from genie_lite.model.layers import ResidualBlock

HOURS = 24
"""Classes of the hour: a distribution, for a picture may say that it is dawn or dusk and not which."""

BANDS = 4
"""Rows that a picture is described by: sky, horizon, and what is farther and nearer."""

GRID = (6, 8)
"""Into how many rows and columns a picture is divided for its mean colours."""

KEYS = ("forward", "back", "right", "left", "turn_right", "turn_left", "look_up", "look_down", "jump", "run")


class DepthReader(nn.Module):
    """The coarsest features -> log-depth in about [0, 1], for each 2x2 pixels."""

    def __init__(self, features: int, width: int = 32) -> None:
        super().__init__()
        self.stem = nn.Conv2d(features + 1, width, 1)
        self.near = ResidualBlock(width)
        self.shrink = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.wide = ResidualBlock(width)
        self.out = nn.Conv2d(width, 16, 1)

    def forward(self, three: Tensor) -> Tensor:
        """B C 18 32 -> B 1 72 128."""
        rows = torch.linspace(-1, 1, three.shape[2], device=three.device).to(three.dtype)
        x = self.stem(torch.cat([three, rows[None, None, :, None].expand_as(three[:, :1])], 1))
        wide = self.wide(self.shrink(F.silu(x)))
        x = self.near(x + F.interpolate(wide, size=x.shape[-2:]))
        return F.pixel_shuffle(self.out(F.silu(x)), 4)


class ConditionsReader(nn.Module):
    """What `describe` says of a picture -> logits of biomes (8), of the hour (HOURS), and of strengths (8)."""

    def __init__(self, inputs: int, width: int = 112) -> None:
        super().__init__()
        self.usual: Tensor
        self.spread: Tensor
        self.register_buffer("usual", torch.zeros(inputs))
        self.register_buffer("spread", torch.ones(inputs))
        self.layers = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(inputs, width), nn.SiLU(), nn.Dropout(0.3), nn.Linear(width, width), nn.SiLU(),
            nn.Dropout(0.2), nn.Linear(width, len(BIOMES) + HOURS + len(STRENGTHS)),
        )  # fmt: skip

    def forward(self, described: Tensor) -> Tensor:
        """B inputs -> B 40."""
        raw: Tensor = self.layers(((described - self.usual) / self.spread).clamp(-4, 4))
        return raw

    def conditions(self, described: Tensor) -> Tensor:
        """B inputs -> what it most likely shows, B 18 in the order of CONDITION_NAMES."""
        biomes, hours, strengths = self(described).split((len(BIOMES), HOURS, len(STRENGTHS)), 1)
        angle = likely_hour(hours.softmax(1)) * (2 * math.pi / 24)
        return torch.cat([biomes.softmax(1), angle.sin(), angle.cos(), strengths.sigmoid()], 1)


def describe(frame: Tensor, scales: Sequence[Tensor], seen: Tensor) -> Tensor:
    """A picture (B 3 144 256), features of it at several scales, and what is seen in it as a whole, as one row of
    numbers each: mean and spread of every feature in BANDS rows, its greatest value, and the mean colours of GRID, for
    hour and air are in the colours of sky and ground."""
    parts = [seen]
    for features in scales:
        mean = F.adaptive_avg_pool2d(features, (BANDS, 1))
        square = F.adaptive_avg_pool2d(features.square(), (BANDS, 1))
        parts += [mean.flatten(1), (square - mean.square()).clamp_min(0).sqrt().flatten(1), features.amax((2, 3))]
    return torch.cat([*parts, F.adaptive_avg_pool2d(frame, GRID).flatten(1)], 1)


def described_dim(widths: Sequence[int], seen: int) -> int:
    """How many numbers `describe` gives."""
    return seen + (2 * BANDS + 1) * sum(widths) + 3 * math.prod(GRID)


class KeyReader(nn.Module):
    """How the eye moved from each picture to the next -> which keys did it. It looks four steps back and ahead: a key
    is held for a while, and a jump is a rise and a fall."""

    def __init__(self, motions: int, width: int = 48) -> None:
        super().__init__()
        self.usual: Tensor
        self.spread: Tensor
        self.register_buffer("usual", torch.zeros(motions))
        self.register_buffer("spread", torch.ones(motions))
        self.layers = nn.Sequential(
            nn.Conv1d(motions, width, 5, padding=2), nn.SiLU(), nn.Dropout(0.1),
            nn.Conv1d(width, width, 5, padding=2), nn.SiLU(), nn.Dropout(0.1),
            nn.Conv1d(width, width, 1), nn.SiLU(), nn.Conv1d(width, len(KEYS), 1),
        )  # fmt: skip

    def forward(self, moved: Tensor) -> Tensor:
        """B T motions, consecutive steps -> logits B T 10 in the order of KEYS."""
        x = ((moved - self.usual) / self.spread).clamp(-4, 4)
        return self.layers(x.transpose(1, 2)).transpose(1, 2)


def likely_hour(chances: Tensor) -> Tensor:
    """B HOURS, chances of hours 0.5, 1.5, ... -> B 1: the hour that is wrong by least on average."""
    classes = (torch.arange(HOURS, device=chances.device) + 0.5) * (24 / HOURS)
    candidates = torch.arange(0, 24, 0.25, device=chances.device)
    apart = ((classes[:, None] - candidates + 12) % 24 - 12).abs()
    return candidates[(chances @ apart).argmin(1, keepdim=True)]
