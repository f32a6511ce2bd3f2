"""How the eye moved between two pictures, by direct alignment: the five numbers under which the second picture, looked
up along the flow that they and the depth of every point imply, is most like the first.

No network: Gauss-Newton steps from coarse to fine over the colours themselves (Lucas and Kanade 1981; with depth as in
Kerl et al. 2013, Robust odometry estimation for RGB-D cameras). Turning moves everything alike, strafing near things
more than far ones, a jump near things down: depth is what tells them apart.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.camera import FAR, NEAR, TAN_X, TAN_Y

MOTIONS = ("right", "up", "ahead", "turned", "looked")
"""In metres along the camera's axes, and radians."""

USUAL = (0.2, 0.2, 0.3, 0.06, 0.03)
"""What a step moves at most, about: what is unknown stays small."""

LEVELS = ((9, 3), (18, 4), (36, 4), (72, 4))
"""Rows of the picture, and steps taken at that size."""

READ_DIM = 2 * len(MOTIONS) + 2
MIRRORED = (-1.0, 1.0, 1.0, -1.0, 1.0, *(1.0,) * (READ_DIM - len(MOTIONS)))
"""What the numbers are multiplied by when the pictures are mirrored."""

_SURE = 0.1
"""Differences of colour (of 2) from which on a point counts less and less, for it moves by itself or is hidden."""
_HOLD = 0.003
"""How strongly an unknown motion is held at 0, in units of what a picture usually tells."""


def egomotion(before: Tensor, after: Tensor, depth: Tensor) -> Tensor:
    """Pictures, B 3 144 256 in [-1, 1], and the first one's log-depth B 1 72 128 -> B READ_DIM: MOTIONS in units of
    USUAL, how sure each is (log), and the log of the mean difference before and after alignment."""
    usual = torch.tensor(USUAL, device=before.device)
    moved = torch.zeros(len(before), len(MOTIONS), device=before.device)
    known = first = last = moved
    for level, (rows, steps) in enumerate(LEVELS):
        one, other, log_depth = (
            F.interpolate(x, size=(rows, rows * 16 // 9), mode="area") for x in (before, after, depth)
        )
        flows = _flows(log_depth) * usual[None, :, None, None, None]
        slope = _slope(other)
        for step in range(steps):
            there = _grid(moved, flows)
            shown = F.grid_sample(torch.cat([other, slope], 1), there, padding_mode="border", align_corners=False)
            inside = (there.abs().amax(3) < 1).float()
            wrong = shown[:, :3] - one
            sure = inside / (1 + wrong.square().mean(1) / _SURE**2)
            steep = shown[:, 3:].unflatten(1, (2, 3))
            # B K C H W: how each colour changes with each motion.
            change = flows[:, :, 0, None] * steep[:, None, 0] + flows[:, :, 1, None] * steep[:, None, 1]
            weighted = change * sure[:, None, None]
            within = torch.einsum("bkchw,blchw->bkl", weighted, change) / (rows * rows)
            towards = torch.einsum("bkchw,bchw->bk", weighted, wrong) / (rows * rows)
            known = within.diagonal(dim1=1, dim2=2)
            hold = _HOLD * known.mean(1, keepdim=True) + 1e-6
            moved = moved - torch.linalg.solve(within + torch.diag_embed(hold.expand_as(known)), towards + hold * moved)
            moved = moved.clamp(-2.5, 2.5)
            last = (wrong.abs().mean(1) * inside).mean((1, 2))
            if level == 0 and step == 0:
                first = last
    errors = torch.stack([first, last], 1)
    return torch.cat([moved, (known + 1e-6).log(), (errors + 1e-3).log()], 1)


def _flows(log_depth: Tensor) -> Tensor:
    """Log-depth B 1 H W -> B 5 2 H W: where a point goes in the picture (right and down, its half width and height
    being 1) by one unit of each motion."""
    height, width = log_depth.shape[2:]
    near = torch.exp(-log_depth[:, 0] * math.log(FAR / NEAR)) / NEAR
    u = ((torch.arange(width, device=near.device) + 0.5) / width * 2 - 1).to(near) * TAN_X
    v = (1 - (torch.arange(height, device=near.device) + 0.5) / height * 2).to(near)[:, None] * TAN_Y
    zero = torch.zeros_like(near)
    right = torch.stack([-near, zero, u * near, zero - (1 + u * u), zero - u * v], 1) / TAN_X
    up = torch.stack([zero, -near, v * near, zero - u * v, zero - (1 + v * v)], 1) / TAN_Y
    return torch.stack([right, -up], 2)


def _grid(moved: Tensor, flows: Tensor) -> Tensor:
    """Where to look up each point of the first picture in the second: B H W 2."""
    height, width = flows.shape[3:]
    x = ((torch.arange(width, device=flows.device) + 0.5) / width * 2 - 1).to(flows).expand(height, width)
    y = ((torch.arange(height, device=flows.device) + 0.5) / height * 2 - 1).to(flows)[:, None].expand(height, width)
    return torch.stack([x, y], 2) + torch.einsum("bk,bkdhw->bhwd", moved, flows)


def _slope(picture: Tensor) -> Tensor:
    """Change of each colour to the right and down, per half width and half height: B 6 H W."""
    padded = F.pad(picture, (1, 1, 1, 1), mode="replicate")
    right = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) * picture.shape[3] / 4
    down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) * picture.shape[2] / 4
    return torch.cat([right, down], 1)
