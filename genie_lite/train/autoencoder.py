"""The autoencoder's loss, and that of the large pictures' heads, which learn from its finished latents."""

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
    """Reconstruction of frames, RGB-D thumbnails and conditions, all from one latent."""

    name = "autoencoder"

    def __init__(self, module: Autoencoder, frames: FrameSet, held_out: FrameSet, batch: int, seed: int) -> None:
        self.module, self.frames, self.held_out, self.batch = module, frames, held_out, batch
        self.random = torch.Generator(frames.frames.device).manual_seed(seed)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """L1 and edge losses on frames, L1 on thumbnails and depth, squared error on conditions."""
        data, net = self.frames, self.module
        pick = torch.randint(len(data.frames), (self.batch,), generator=self.random, device=data.frames.device)
        frame = to_unit(data.frames[pick].permute(0, 3, 1, 2))
        latent = net.encode(frame)
        noisy = latent + LATENT_NOISE * torch.randn_like(latent) * torch.rand_like(latent[:, :1, :1, :1])
        drawn, thumb = net.decode(noisy), net.thumbnail(noisy)
        losses = {
            "frame": picture_loss(drawn, frame) + 4 * F.mse_loss(drawn, frame),
            "thumb": F.l1_loss(thumb[:, :3], F.avg_pool2d(frame, 2)),
            "depth": F.l1_loss(thumb[:, 3], data.depth[pick].float()),
            "conditions": F.mse_loss(net.conditions(noisy), data.conditions[pick]),
        }
        weights = {"frame": 2.0, "thumb": 0.5, "depth": 1.0, "conditions": 0.3}
        total = torch.stack([weights[name] * value for name, value in losses.items()]).sum()
        return total, {"psnr": psnr(drawn.detach(), frame).mean(), **losses}

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


class PicturesPart:
    """The 720p and 360p heads, on strips of true 720p renders; the encoder stays as it is."""

    name = "pictures"
    strip = 30
    """Rows of 90 a strip has: a third of the picture, its true borders included."""

    def __init__(self, module: Autoencoder, frames: FrameSet, held_out: FrameSet, batch: int, seed: int) -> None:
        self.autoencoder, self.module, self.batch = module, module.pictures, batch
        self.large, self.held_out = frames.large, held_out
        self.latents = encode_all(module, frames.small)
        self.random = torch.Generator(frames.large.device).manual_seed(seed)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """L1 and edge losses on a strip of both sizes."""
        draw = {"generator": self.random, "device": self.large.device}
        pick = torch.randint(len(self.large), (self.batch,), **draw)  # type: ignore[call-overload]
        top = 10 * int(torch.randint(7, (1,), **draw))  # type: ignore[call-overload]
        large = to_unit(self.large[pick, top * 8 : (top + self.strip) * 8].permute(0, 3, 1, 2))
        latent = self.latents[pick]
        latent = latent + LATENT_NOISE * torch.randn_like(latent) * torch.rand_like(latent[:, :1, :1, :1])
        rows = (top, top + self.strip)
        drawn = self.module["720p"](latent, rows)
        losses = {
            "720p": picture_loss(drawn, large) + 4 * F.mse_loss(drawn, large),
            "360p": picture_loss(self.module["360p"](latent, rows), F.avg_pool2d(large, 2)),
        }
        return losses["720p"] + losses["360p"], {"psnr": psnr(drawn.detach(), large).mean(), **losses}

    @torch.no_grad()
    def sheet(self, module: nn.Module, path: Path) -> None:
        """Four held-out pictures at 720p: the truth above, the head's below."""
        pick = torch.linspace(0, len(self.held_out.large) - 1, 4).long()
        latent = encode_all(self.autoencoder, self.held_out.small[pick])
        truth = to_unit(self.held_out.large[pick].permute(0, 3, 1, 2))
        assert isinstance(module, nn.ModuleDict)
        save_sheet([truth, module["720p"](latent)], path)


@torch.no_grad()
def encode_all(module: Autoencoder, frames: Tensor) -> Tensor:
    """uint8 N 144 256 3 -> latents float32 N 16 18 32, in chunks."""
    return torch.cat([module.encode(to_unit(chunk.permute(0, 3, 1, 2))) for chunk in frames.split(64)])


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
    """Mean PSNR in dB on held-out frames, and mean error of log-depth."""
    quality, depth = [], []
    for first in range(0, len(held_out.frames), 32):
        frame = to_unit(held_out.frames[first : first + 32].permute(0, 3, 1, 2))
        latent = module.encode(frame)
        quality.append(psnr(module.decode(latent), frame))
        depth.append((module.thumbnail(latent)[:, 3] - held_out.depth[first : first + 32].float()).abs().mean((1, 2)))
    return {
        "psnr": round(float(torch.cat(quality).mean()), 2),
        "log_depth_error": round(float(torch.cat(depth).mean()), 4),
    }


@torch.no_grad()
def evaluate_pictures(module: Autoencoder, held_out: FrameSet) -> dict[str, float]:
    """Mean PSNR in dB of the 720p head against true renders of held-out instants, and of a bicubic enlargement of
    the true small frame, which is what it has to beat."""
    drawn, enlarged = [], []
    for index in range(len(held_out.large)):
        truth = to_unit(held_out.large[index : index + 1].permute(0, 3, 1, 2))
        small = held_out.small[index : index + 1]
        drawn.append(psnr(module.decode(encode_all(module, small), "720p"), truth))
        frame = to_unit(small.permute(0, 3, 1, 2))
        enlarged.append(psnr(F.interpolate(frame, scale_factor=5.0, mode="bicubic"), truth))
    means = {"psnr_720p": torch.cat(drawn).mean(), "psnr_bicubic": torch.cat(enlarged).mean()}
    return {name: round(float(value), 2) for name, value in means.items()}
