"""Motion's loss: the displacement that the simulator really made."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.model.autoencoder import Autoencoder
from genie_lite.model.motion import PAST_MOTIONS, WALK_STEP, Motion, motion_between
from genie_lite.train.clips import LatentSet


class MotionPart:
    """Huber loss on forward, right, up in walking steps."""

    name = "motion"

    def __init__(self, module: Motion, data: LatentSet, autoencoder: Autoencoder, batch: int, seed: int) -> None:
        self.module, self.data, self.autoencoder, self.batch = module, data, autoencoder, batch
        self.random = torch.Generator(data.latents.device).manual_seed(seed)
        inside = torch.ones(len(data.latents), dtype=torch.bool, device=data.latents.device)
        for back in range(PAST_MOTIONS):
            inside[data.start + back] = False
        inside[data.start + data.length - 1] = False
        self.rows = torch.nonzero(inside).squeeze(1)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Error of one step from a true or slightly wrong latent, as play will show it."""
        pick = torch.randint(len(self.rows), (self.batch,), generator=self.random, device=self.rows.device)
        predicted, truth = self.predict(self.module, self.rows[pick], noise=0.3)
        loss = F.smooth_l1_loss(predicted.float(), truth, beta=0.1)
        return loss, {"huber": loss.detach(), "error": (predicted.detach() - truth).abs().mean()}

    def predict(self, module: nn.Module, rows: Tensor, noise: float) -> tuple[Tensor, Tensor]:
        """Predicted and true displacement (B 3 each) of the steps that leave the given rows."""
        data = self.data
        latent = data.latents[rows].float()
        latent = latent + noise * torch.randn_like(latent) * torch.rand_like(latent[:, :1, :1, :1])
        with torch.no_grad():
            depth = self.autoencoder.thumbnail(latent, data.poses[rows, 4:5])[:, 3:].clamp(0, 1)
        past = [
            motion_between(data.poses[rows - back], data.poses[rows - back + 1])[:, :3]
            for back in range(PAST_MOTIONS, 0, -1)
        ]
        predicted = module(latent, depth, data.actions[rows], torch.cat(past, 1), data.poses[rows, 4:5])
        return predicted, motion_between(data.poses[rows], data.poses[rows + 1])[:, :3]

    def sheet(self, module: nn.Module, path: Path) -> None:
        """Motion draws nothing."""


@torch.no_grad()
def evaluate_motion(part: MotionPart) -> dict[str, float]:
    """Mean error on a held-out part in centimetres a step, and how often a walk's sign (forward, sideways) is right."""
    rows = part.rows[torch.linspace(0, len(part.rows) - 1, min(2000, len(part.rows))).long().to(part.rows.device)]
    predicted, truth = part.predict(part.module, rows, noise=0.0)
    moving = truth[:, :2].abs() > 0.3
    right = (predicted[:, :2].sign() == truth[:, :2].sign())[moving].float().mean()
    error = (predicted - truth).norm(dim=1).mean() * 100 * WALK_STEP
    return {"centimetres": round(float(error), 3), "sign_accuracy": round(float(right), 4)}
