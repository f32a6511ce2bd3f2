"""Motion (odometry): how far one step really carries the camera. Turning is exact; walking may be blocked or follow
the ground, and that is what this network reads off the last latent and its depth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.actions import ACTION_DIM, LOOK_RATE, PITCH_LIMIT, STEPS_PER_SECOND, TURN_RATE, WALK_SPEED
from genie_lite.model.autoencoder import LATENT_CHANNELS

WALK_STEP = WALK_SPEED / STEPS_PER_SECOND
"""Metres a walking step covers: the unit of all displacements inside the model."""

FASTEST = 2.5
"""WALK_STEPs a step can cover along any axis: running is 2. Without a bound, errors feed on the past displacements."""

PAST_MOTIONS = 4
"""Displacements of the last steps, oldest first: they tell standing from falling."""

MOTION_DIM = 5
"""Forward, right, up in WALK_STEPs; turn and look as fractions of a full-speed step."""


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """Width of the convolutions and of the layers behind them."""

    channels: int = 48
    hidden: int = 192


class Motion(nn.Module):
    """Predicts the displacement of one step in the camera's heading."""

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        c = config.channels
        self.net = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS + 16, c, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(c, 2 * c, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * c, 2 * c, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * c, 32, 1),
        )
        inputs = 32 * 40 + ACTION_DIM + 3 * PAST_MOTIONS + 1
        self.out = nn.Sequential(
            nn.Linear(inputs, config.hidden), nn.SiLU(), nn.Linear(config.hidden, config.hidden), nn.SiLU(),
            nn.Linear(config.hidden, 3),
        )  # fmt: skip

    def forward(self, latent: Tensor, log_depth: Tensor, action: Tensor, past: Tensor, pitch: Tensor) -> Tensor:
        """latent: B 16 18 32; log_depth: B 1 72 128; action: B 6; past: B 4*3 in WALK_STEPs; pitch: B 1 in radians.

        Returns B 3: forward, right, up in WALK_STEPs, relative to the heading after the action's turn.
        """
        x = self.net(torch.cat([latent, F.pixel_unshuffle(log_depth, 4)], 1)).flatten(1)
        return self.out(torch.cat([x, action, past, pitch / PITCH_LIMIT], 1)).clamp(-FASTEST, FASTEST)


def advance(pose: Tensor, action: Tensor, displacement: Tensor) -> Tensor:
    """The pose (B 5, float64 or float32) after an action (B 6) and its displacement (B 3, WALK_STEPs)."""
    yaw = pose[:, 3] + action[:, 2] * (TURN_RATE / STEPS_PER_SECOND)
    pitch = (pose[:, 4] + action[:, 3] * (LOOK_RATE / STEPS_PER_SECOND)).clamp(-PITCH_LIMIT, PITCH_LIMIT)
    forward, right, up = (displacement * WALK_STEP).to(pose.dtype).unbind(1)
    x = pose[:, 0] + forward * yaw.sin() + right * yaw.cos()
    y = pose[:, 1] + forward * yaw.cos() - right * yaw.sin()
    return torch.stack([x, y, pose[:, 2] + up, yaw, pitch], 1)


def motion_between(before: Tensor, after: Tensor) -> Tensor:
    """What happened between two poses (B 5 each) as the dynamics sees it: B 5, see MOTION_DIM. Inverts `advance`."""
    dx, dy, dz = (after - before)[:, :3].unbind(1)
    sin, cos = after[:, 3].sin(), after[:, 3].cos()
    turn = (after[:, 3] - before[:, 3]) * (STEPS_PER_SECOND / TURN_RATE)
    look = (after[:, 4] - before[:, 4]) * (STEPS_PER_SECOND / LOOK_RATE)
    moved = torch.stack([dx * sin + dy * cos, dx * cos - dy * sin, dz], 1) / WALK_STEP
    return torch.cat([moved, torch.stack([turn, look], 1)], 1)
