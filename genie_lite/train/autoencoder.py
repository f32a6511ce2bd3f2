"""The autoencoder's loss: every head at once from one latent, so that the latent serves them all."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.model.autoencoder import Autoencoder
from genie_lite.model.layers import to_unit
from genie_lite.train.clips import FrameSet
from genie_lite.train.sheets import save_sheet

LATENT_NOISE = 0.08
"""Noise on the latent before the heads, in its standard deviations: dreamed latents are never quite right."""


class AutoencoderPart:
    """Reconstruction of small frames, 720p and 360p pictures, thumbnails with depth, and conditions."""

    name = "autoencoder"

    def __init__(
        self, module: Autoencoder, frames: FrameSet, held_out: FrameSet, batch: int, large_batch: int, seed: int
    ) -> None:
        self.module, self.frames, self.held_out = module, frames, held_out
        self.batch, self.large_batch = batch, large_batch
        self.random = torch.Generator(frames.frames.device).manual_seed(seed)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """L1 and edge losses on pictures, L1 on thumbnails, squared error on conditions."""
        data, net = self.frames, self.module
        device = data.frames.device
        pick = torch.randint(len(data.frames), (self.batch,), generator=self.random, device=device)
        big = torch.randint(len(data.large), (self.large_batch,), generator=self.random, device=device)
        small = torch.cat([data.frames[pick], data.small[big]]).permute(0, 3, 1, 2)
        frame = to_unit(small).contiguous(memory_format=torch.channels_last)
        latent = net.encoder(frame)
        self._track_statistics(latent.detach(), progress)
        latent = (latent - net.latent_mean) / net.latent_std
        noisy = latent + LATENT_NOISE * torch.randn_like(latent) * torch.rand_like(latent[:, :1, :1, :1])
        drawn = net.decode(noisy, "144p")
        thumb = net.thumbnail(noisy)
        large = to_unit(data.large[big].permute(0, 3, 1, 2))
        tail = noisy[self.batch :]
        losses = {
            "picture": picture_loss(drawn, frame) + 2 * F.mse_loss(drawn, frame),
            "720p": picture_loss(net.decode(tail, "720p"), large),
            "360p": picture_loss(net.decode(tail, "360p"), F.avg_pool2d(large, 2)),
            "thumb": F.l1_loss(thumb[:, :3], F.avg_pool2d(frame, 2)),
            "depth": F.l1_loss(thumb[: self.batch, 3], data.depth[pick].float()),
            "conditions": F.mse_loss(net.conditions(noisy[: self.batch]), data.conditions[pick]),
        }
        weights = {"picture": 2.0, "720p": 1.0, "360p": 0.5, "thumb": 0.5, "depth": 1.0, "conditions": 0.3}
        total = torch.stack([weights[name] * value for name, value in losses.items()]).sum()
        with torch.no_grad():
            shown = {"psnr": psnr(drawn, frame).mean(), **losses}
        return total, shown

    def _track_statistics(self, latent: Tensor, progress: float) -> None:
        """Running mean and deviation of each channel, frozen for the last tenth so that the heads can settle."""
        if progress > 0.9:
            return
        keep = 0.99
        self.module.latent_mean.lerp_(latent.float().mean((0, 2, 3), keepdim=True), 1 - keep)
        self.module.latent_std.lerp_(latent.float().std((0, 2, 3), keepdim=True).clamp_min(1e-2), 1 - keep)

    @torch.no_grad()
    def sheet(self, module: nn.Module, path: Path) -> None:
        """Rows of held-out frames: truth, reconstruction, thumbnail, log-depth."""
        assert isinstance(module, Autoencoder)
        pick = torch.linspace(0, len(self.held_out.frames) - 1, 8).long()
        truth = to_unit(self.held_out.frames[pick].permute(0, 3, 1, 2))
        latent = module.encode(truth)
        thumb = F.interpolate(module.thumbnail(latent), scale_factor=2.0)
        depth = thumb[:, 3:].expand(-1, 3, -1, -1) * 2 - 1
        save_sheet([truth, module.decode(latent), thumb[:, :3], depth], path)


def psnr(drawn: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of pictures in [-1, 1]: B C H W twice -> B."""
    error = ((drawn.float().clamp(-1, 1) - truth.float()) / 2).square().mean((1, 2, 3))
    return -10 * error.clamp_min(1e-10).log10()


def picture_loss(drawn: Tensor, truth: Tensor) -> Tensor:
    """L1 on pixels and on their differences to the right and below, which keeps edges crisp."""
    loss = F.l1_loss(drawn, truth)
    for dim in (2, 3):
        loss = loss + F.l1_loss(drawn.diff(dim=dim), truth.diff(dim=dim))
    return loss


@torch.no_grad()
def evaluate_autoencoder(module: Autoencoder, held_out: FrameSet) -> dict[str, float]:
    """Mean PSNR in dB on held-out frames and pictures, rounded as stored pictures are; error of log-depth."""
    small, large, depth = [], [], []
    for first in range(0, len(held_out.frames), 32):
        frame = to_unit(held_out.frames[first : first + 32].permute(0, 3, 1, 2))
        latent = module.encode(frame)
        small.append(psnr(module.decode(latent), frame))
        depth.append((module.thumbnail(latent)[:, 3] - held_out.depth[first : first + 32].float()).abs().mean((1, 2)))
    for first in range(0, len(held_out.large), 4):
        frame = to_unit(held_out.small[first : first + 4].permute(0, 3, 1, 2))
        truth = to_unit(held_out.large[first : first + 4].permute(0, 3, 1, 2))
        large.append(psnr(module.decode(module.encode(frame), "720p"), truth))
    result = {"psnr_144p": torch.cat(small).mean(), "log_depth_error": torch.cat(depth).mean()}
    if large:
        result["psnr_720p"] = torch.cat(large).mean()
    return {name: round(float(value), 3) for name, value in result.items()}
