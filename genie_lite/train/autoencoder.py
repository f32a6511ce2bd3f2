"""The autoencoder's loss, and that of all the heads that learn from its finished latents."""

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
    """Reconstruction of frames: the encoder and the 256x144 head. All other heads take its latents as they are."""

    name = "autoencoder"

    def __init__(self, module: Autoencoder, frames: FrameSet, held_out: FrameSet, batch: int, seed: int) -> None:
        self.module, self.frames, self.held_out, self.batch = module, frames, held_out, batch
        self.random = torch.Generator(frames.frames.device).manual_seed(seed)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """L1, edge and squared loss on frames."""
        data, net = self.frames, self.module
        pick = torch.randint(len(data.frames), (self.batch,), generator=self.random, device=data.frames.device)
        frame = to_unit(data.frames[pick].permute(0, 3, 1, 2))
        drawn = net.decode(noised(net.encode(frame)))
        loss = picture_loss(drawn, frame) + 8 * F.mse_loss(drawn, frame)
        return loss, {"psnr": psnr(drawn.detach(), frame).mean(), "loss": loss}

    @torch.no_grad()
    def sheet(self, module: nn.Module, path: Path) -> None:
        """Rows of held-out frames: truth, reconstruction."""
        assert isinstance(module, Autoencoder)
        pick = torch.linspace(0, len(self.held_out.frames) - 1, 8).long()
        truth = to_unit(self.held_out.frames[pick].permute(0, 3, 1, 2))
        save_sheet([truth, module.decode(module.encode(truth))], path)


class HeadsPart:
    """All other heads, from finished latents: 720p and 360p pictures on strips of true 720p renders, RGB-D thumbnails
    and conditions. Neither encoder nor frame head is run, so many more latents can be seen."""

    name = "heads"
    strip = 30
    """Rows of 90 a strip has: a third of the picture, its true borders included."""

    def __init__(self, module: Autoencoder, frames: FrameSet, held_out: FrameSet, batch: int, seed: int) -> None:
        self.autoencoder, self.module, self.batch = module, module.heads, batch
        self.frames, self.held_out = frames, held_out
        self.large_latents, self.latents = encode_all(module, frames.small), encode_all(module, frames.frames)
        self.random = torch.Generator(frames.large.device).manual_seed(seed)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """L1 and edge losses on pictures and thumbnails, L1 on log-depth, squared error on conditions."""
        losses = self._pictures(self.batch) | self._thumbnails(4 * self.batch)
        weights = {"720p": 1.0, "360p": 0.5, "thumb": 1.0, "depth": 4.0, "conditions": 1.0}
        total = torch.stack([weights[name] * value for name, value in losses.items()]).sum()
        return total, {name: value.detach() for name, value in losses.items()}

    def _thumbnails(self, count: int) -> dict[str, Tensor]:
        pick = torch.randint(len(self.latents), (count,), generator=self.random, device=self.latents.device)
        latent = noised(self.latents[pick])
        frame = to_unit(self.frames.frames[pick].permute(0, 3, 1, 2))
        thumb, depth = self.autoencoder.thumbnail(latent), self.frames.depth[pick].float()
        return {
            "thumb": picture_loss(thumb[:, :3], F.avg_pool2d(frame, 2)),
            "depth": F.l1_loss(thumb[:, 3], depth),
            "conditions": F.mse_loss(self.autoencoder.conditions(latent), self.frames.conditions[pick]),
        }

    def _pictures(self, count: int) -> dict[str, Tensor]:
        draw = {"generator": self.random, "device": self.frames.large.device}
        pick = torch.randint(len(self.frames.large), (count,), **draw)  # type: ignore[call-overload]
        top = 10 * int(torch.randint(7, (1,), **draw))  # type: ignore[call-overload]
        large = to_unit(self.frames.large[pick, top * 8 : (top + self.strip) * 8].permute(0, 3, 1, 2))
        latent = noised(self.large_latents[pick])
        rows = (top, top + self.strip)
        drawn = self.module["720p"](latent, rows)
        return {
            "720p": picture_loss(drawn, large) + 8 * F.mse_loss(drawn, large),
            "360p": picture_loss(self.module["360p"](latent, rows), F.avg_pool2d(large, 2)),
        }

    @torch.no_grad()
    def sheet(self, module: nn.Module, path: Path) -> None:
        """Four held-out pictures at 720p: the truth above, the head's below; then thumbnail and log-depth, enlarged."""
        pick = torch.linspace(0, len(self.held_out.large) - 1, 4).long()
        latent = encode_all(self.autoencoder, self.held_out.small[pick])
        truth = to_unit(self.held_out.large[pick].permute(0, 3, 1, 2))
        assert isinstance(module, nn.ModuleDict)
        thumb = F.interpolate(module["thumbnail"](latent), scale_factor=10.0)
        save_sheet([truth, module["720p"](latent), thumb[:, :3], thumb[:, 3:].expand(-1, 3, -1, -1) * 2 - 1], path)


def noised(latent: Tensor) -> Tensor:
    """The latent with up to LATENT_NOISE of noise, another level for each of the batch."""
    return latent + LATENT_NOISE * torch.randn_like(latent) * torch.rand_like(latent[:, :1, :1, :1])


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
    """Mean PSNR in dB on held-out frames."""
    quality = []
    for frames in held_out.frames.split(32):
        truth = to_unit(frames.permute(0, 3, 1, 2))
        quality.append(psnr(module.decode(module.encode(truth)), truth))
    return {"psnr": round(float(torch.cat(quality).mean()), 2)}


@torch.no_grad()
def evaluate_heads(module: Autoencoder, held_out: FrameSet) -> dict[str, float]:
    """Mean PSNR in dB of the 720p head against true renders of held-out instants, and of a bicubic enlargement of
    the true small frame, which is what it has to beat; mean error of log-depth."""
    drawn, enlarged = [], []
    for index in range(len(held_out.large)):
        truth = to_unit(held_out.large[index : index + 1].permute(0, 3, 1, 2))
        small = held_out.small[index : index + 1]
        drawn.append(psnr(module.decode(encode_all(module, small), "720p"), truth))
        frame = to_unit(small.permute(0, 3, 1, 2))
        enlarged.append(psnr(F.interpolate(frame, scale_factor=5.0, mode="bicubic"), truth))
    depth = module.thumbnail(encode_all(module, held_out.frames))[:, 3]
    return {
        "psnr_720p": round(float(torch.cat(drawn).mean()), 2),
        "psnr_bicubic": round(float(torch.cat(enlarged).mean()), 2),
        "log_depth_error": round(float((depth - held_out.depth.float()).abs().mean()), 4),
    }
