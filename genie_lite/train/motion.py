"""Fits motion to walks: how high each step of a jump lifts the eye, and how a rise dies away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from genie_lite.actions import JUMP_STEPS
from genie_lite.model.motion import WALK_STEP, Motion, jump_steps, motion_between, pace_kept, stride
from genie_lite.train.clips import Walk


@torch.no_grad()
def fit_motion(motion: Motion, walks: Sequence[Walk]) -> dict[str, Any]:
    """Sets the arc to the median rise of each of a jump's steps, since the ground rises as often as it falls, and
    softness by least squares. Returns how it was made."""
    moved, actions, jump, follows = _steps(walks)
    for step in range(1, JUMP_STEPS + 1):
        rises = moved[jump == step, 2]
        motion.arc[step - 1] = rises.median() if len(rises) else 0.0
    walked = moved - _lifted(motion, jump)
    past, now = walked[:-1][follows], walked[1:][follows]
    kept = pace_kept(stride(actions[1:][follows]), past)[:, 0]
    lost, gained = past[:, 2] * (1 - kept), now[:, 2] - past[:, 2] * kept
    motion.softness.copy_((lost @ gained / lost.square().sum().clamp_min(1e-9)).clamp(0, 1))
    return {"steps": len(moved), "jumps": int((jump == 1).sum()), "softness": round(float(motion.softness), 3)}


@torch.no_grad()
def evaluate_motion(motion: Motion, walks: Sequence[Walk]) -> dict[str, float]:
    """Mean error in centimetres of a step that follows a true one; and of those that nothing barred, in height."""
    moved, actions, jump, follows = _steps(walks)
    lifted = _lifted(motion, jump)
    past = (moved - lifted)[:-1][follows]
    wrong = (motion(actions[1:][follows], past) + (lifted - moved)[1:][follows]) * 100 * WALK_STEP
    open_ground = wrong[:, :2].norm(dim=1) < 2
    found = {"centimetres": wrong.norm(dim=1).mean(), "height_centimetres": wrong[open_ground, 2].abs().mean()}
    return {name: round(float(value), 3) for name, value in found.items()}


def _steps(walks: Sequence[Walk]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All steps of all episodes: what they moved the eye (N 3, WALK_STEPs), under which actions (N 6), which step of a
    jump each was (N), and whether the one behind each belongs to the same episode (N - 1, bool)."""
    moved, actions, jump, episode = [], [], [], []
    for number, (poses, keys) in enumerate(walks):
        led = keys[:-1]
        moved.append(motion_between(poses[:-1], poses[1:])[:, :3])
        actions.append(led)
        jump.append(torch.tensor(jump_steps(led[:, 4] > 0.5), device=led.device))
        episode.append(torch.full((len(led),), number, device=led.device))
    numbers = torch.cat(episode)
    return torch.cat(moved), torch.cat(actions), torch.cat(jump), numbers[1:] == numbers[:-1]


def _lifted(motion: Motion, jump: Tensor) -> Tensor:
    """What jumps added to the same steps: N 3."""
    return F.pad(motion.lifts[jump][:, None], (2, 0))
