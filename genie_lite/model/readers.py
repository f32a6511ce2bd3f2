"""What the judge reads off pictures: how far things are, what country and weather they show, and which keys move them.
Small networks behind or beside features that stay as they are (see judge.py). Shapes are B C H W."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.conditions import BIOMES, STRENGTHS
from genie_lite.model.layers import ResidualBlock, patchify

HOURS = 24
"""Classes of the hour: a distribution, for a picture may say that it is dawn or dusk and not which."""

BANDS = 3
"""Rows that a picture is summed up in: sky, horizon, and what is near."""

READER_WIDTHS = (24, 48, 96, 128)
"""Channels of the reader of conditions, 2, 4, 8 and 16 times smaller than the picture."""

FINE, FINER = 24, 4.0
"""Channels in which it looks for what is fine, and how much stronger that is made first."""

PATCH = 8
"""Pixels of a picture's side that the reader of depth sees as one place."""

KEYS = ("forward", "back", "right", "left", "turn_right", "turn_left", "look_up", "look_down", "jump", "run")


class DepthReader(nn.Module):
    """A picture and its coarsest features -> log-depth in about [0, 1], for each 2x2 pixels. How far a thing is shows
    where it stands on the ground and where the horizon lies, so it looks at the whole picture, in three sizes."""

    def __init__(self, features: int, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3 * PATCH**2 + features + 1, width, 3, padding=1)
        self.shrink1, self.shrink2 = (nn.Conv2d(width, width, 3, stride=2, padding=1) for _ in range(2))
        self.blocks0, self.blocks1, self.blocks2 = (
            nn.Sequential(ResidualBlock(width), ResidualBlock(width)) for _ in range(3)
        )
        self.out = nn.Conv2d(width, 16, 1)

    def forward(self, frame: Tensor, three: Tensor) -> Tensor:
        """B 3 144 256 in [-1, 1] and B C 18 32 -> B 1 72 128."""
        rows = torch.linspace(-1, 1, three.shape[2], device=three.device).to(three.dtype)
        rows = rows[None, None, :, None].expand_as(three[:, :1])
        x0 = self.stem(torch.cat([patchify(frame, PATCH).to(three.dtype), three, rows], 1))
        x1 = self.blocks1(self.shrink1(F.silu(x0)))
        x2 = self.blocks2(self.shrink2(F.silu(x1)))
        x1 = x1 + F.interpolate(x2, size=x1.shape[-2:])
        x0 = self.blocks0(x0 + F.interpolate(x1, size=x0.shape[-2:]))
        return F.pixel_shuffle(self.out(F.silu(x0)), 4)


class ConditionsReader(nn.Module):
    """A picture -> logits of biomes (8), of the hour (HOURS), and of strengths (8). It has layers of its own from the
    pixels on: falling rain and snow are fine, so they are looked for in what stands out from its surroundings, and
    summed up where they are still seen."""

    def __init__(self) -> None:
        super().__init__()
        one, two, three, four = READER_WIDTHS
        self.down1 = nn.Conv2d(3, one, 4, stride=2, padding=1)
        self.down2 = nn.Conv2d(one, two, 3, stride=2, padding=1)
        self.down3 = nn.Conv2d(two, three, 3, stride=2, padding=1)
        self.down4 = nn.Conv2d(three, four, 3, stride=2, padding=1)
        self.block = ResidualBlock(four)
        self.fine1 = nn.Conv2d(3, FINE, 5, stride=2, padding=2)
        self.fine2 = nn.Conv2d(FINE, FINE, 3, padding=1)
        self.out = nn.Sequential(
            nn.Dropout(0.2), nn.Linear((BANDS + 1) * four + (2 * BANDS + 1) * FINE, 128), nn.SiLU(), nn.Dropout(0.2),
            nn.Linear(128, len(BIOMES) + HOURS + len(STRENGTHS)),
        )  # fmt: skip

    def forward(self, frame: Tensor) -> Tensor:
        """B 3 144 256 in [-1, 1] -> B 40."""
        x = frame
        for down in (self.down1, self.down2, self.down3, self.down4):
            x = F.silu(down(x))
        x = F.silu(self.block(x))
        around = F.avg_pool2d(frame, 5, stride=1, padding=2, count_include_pad=False)
        fine = F.silu(self.fine2(F.silu(self.fine1(FINER * (frame - around)))))
        sums = _by_band(x), x.amax((2, 3)), _by_band(fine), _by_band(fine.square()), fine.amax((2, 3))
        raw: Tensor = self.out(torch.cat(sums, 1))
        return raw

    def conditions(self, frame: Tensor) -> Tensor:
        """B 3 144 256 -> what it most likely shows, B 18 in the order of CONDITION_NAMES."""
        biomes, hours, strengths = self(frame).split((len(BIOMES), HOURS, len(STRENGTHS)), 1)
        angle = likely_hour(hours.softmax(1)) * (2 * math.pi / 24)
        return torch.cat([biomes.softmax(1), angle.sin(), angle.cos(), strengths.sigmoid()], 1)


def _by_band(x: Tensor) -> Tensor:
    """B C H W -> B C*BANDS, means."""
    return x.unflatten(2, (BANDS, -1)).mean((3, 4)).flatten(1)


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
