"""Motion: how far one step carries the eye. Turning is exact, a walk goes where the keys ask, one jump is as high as
another, and a slope goes on as it has begun."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.actions import (
    JUMP_STEPS,
    LOOK_RATE,
    PITCH_LIMIT,
    RUN_SPEED,
    STEPS_PER_SECOND,
    TURN_RATE,
    WALK_SPEED,
)

WALK_STEP = WALK_SPEED / STEPS_PER_SECOND
"""Metres a walking step covers: the unit of all displacements inside the model."""

MOTION_DIM = 5
"""Forward, right, up in WALK_STEPs; turn and look as fractions of a full-speed step."""

SLOW = 0.25
"""WALK_STEPs: a pace below this says little about how steep the ground is."""

STEEPEST = 2.0
"""WALK_STEPs that a step may rise: running up the steepest slope that can be walked."""


class Motion(nn.Module):
    """How a step moves the eye, in its heading: by the stride that the keys ask for, and up as the ground has risen.

    `softness` says how a rise dies away when one stops, since the eye follows the ground softly; `arc` (JUMP_STEPS,
    WALK_STEPs) what each step of a jump adds. Both are fitted to walks, see train/motion.py. A network that read
    thumbnails with their depth beside this was no closer to unseen walks.
    """

    def __init__(self) -> None:
        super().__init__()
        self.softness = nn.Parameter(torch.tensor(0.5))
        self.arc = nn.Parameter(torch.zeros(JUMP_STEPS))

    @property
    def lifts(self) -> Tensor:
        """What a step adds, by which step of a jump it is (see `jump_steps`): 0 on the ground, then the arc."""
        return F.pad(self.arc, (1, 0))

    def forward(self, action: Tensor, past: Tensor) -> Tensor:
        """action: B 6; past: B 3, the last step in WALK_STEPs, without what a jump added.

        Returns B 3: forward, right, up in WALK_STEPs on the ground, relative to the heading after the action's turn.
        """
        asked = stride(action)
        goes_on = self.softness + (1 - self.softness) * pace_kept(asked, past)
        return torch.cat([asked[:, :2], (past[:, 2:] * goes_on).clamp(-STEEPEST, STEEPEST)], 1)


def pace_kept(asked: Tensor, past: Tensor) -> Tensor:
    """How many times as long as the last step (B 3) one is that the keys ask for (B 3): B 1 in [0, 2]."""
    now, before = (step[:, :2].square().sum(1, keepdim=True).sqrt() for step in (asked, past))
    return (now / before.clamp_min(SLOW)).clamp_max(2.0)


def stride(action: Tensor) -> Tensor:
    """The step that the keys ask for (B 6) where nothing is in the way: B 3, forward, right and up (0), WALK_STEPs."""
    wish = action[:, :2]
    pace = 1 + action[:, 5:6] * (RUN_SPEED / WALK_SPEED - 1)
    length = wish.square().sum(1, keepdim=True).sqrt().clamp_min(1.0)
    return F.pad(wish * pace / length, (0, 1))


def jump_steps(wanted: Tensor, under_way: int = 0) -> list[int]:
    """Which step of a jump each of T actions makes, given whether each asks for one (T, bool): 0 on the ground, else
    1 to JUMP_STEPS. A jump takes its time, and the key does nothing before it ends; under_way: the step before."""
    steps = []
    for asked in wanted.tolist():
        flying = 0 < under_way < JUMP_STEPS
        under_way = under_way + 1 if flying else int(asked)
        steps.append(under_way)
    return steps


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
