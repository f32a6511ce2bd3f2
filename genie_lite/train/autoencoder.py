"""The autoencoder's loss, and that of all the heads that learn from its finished latents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.model.autoencoder import PATCH, Autoencoder, FrameHead, PictureHead
from genie_lite.model.layers import patchify, to_unit
from genie_lite.train.clips import FrameSet
from genie_lite.train.least_squares import solve
from genie_lite.train.sheets import save_sheet

LATENT_NOISE = 0.08
"""Noise on the latent before the heads, in its standard deviations: dreamed latents are never quite right."""


class AutoencoderPart:
    """Reconstruction of frames: the encoder and the 256x144 head. All other heads take its latents as they are."""

    name = "autoencoder"

    def __init__(self, module: Autoencoder, frames: FrameSet, held_out: FrameSet, batch: int, seed: int) -> None:
        self.autoencoder, self.frames, self.held_out, self.batch = module, frames, held_out, batch
        self.module: nn.Module = module
        self.random = torch.Generator(frames.frames.device).manual_seed(seed)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """L1, edge and squared loss on frames."""
        data, net = self.frames, self.autoencoder
        pick = torch.randint(len(data.frames), (self.batch,), generator=self.random, device=data.frames.device)
        frame = to_unit(data.frames[pick].permute(0, 3, 1, 2))
        drawn = net.decode(noised(net.encode(frame)))
        loss = picture_loss(drawn, frame) + 8 * F.mse_loss(drawn, frame)
        return loss, {"psnr": psnr(drawn.detach(), frame).mean(), "loss": loss}

    @torch.no_grad()
    def sheet(self, module: nn.Module, path: Path) -> None:
        """Rows of held-out frames: truth, reconstruction."""
        assert isinstance(module, Autoencoder)
        self._sheet(module.encoder, module.frame, path)

    def _sheet(self, encoder: nn.Module, head: nn.Module, path: Path) -> None:
        pick = torch.linspace(0, len(self.held_out.frames) - 1, 8).long()
        truth = to_unit(self.held_out.frames[pick].permute(0, 3, 1, 2))
        save_sheet([truth, head(encoder(truth))], path)


class FramePart(AutoencoderPart):
    """The 256x144 head alone, from finished latents, so that all that was trained on these stays good."""

    name = "frame"

    def __init__(self, module: Autoencoder, frames: FrameSet, held_out: FrameSet, batch: int, seed: int) -> None:
        super().__init__(module, frames, held_out, batch, seed)
        self.module = module.frame

    @torch.no_grad()
    def sheet(self, module: nn.Module, path: Path) -> None:
        """Rows of held-out frames: truth, reconstruction."""
        self._sheet(self.autoencoder.encoder, module, path)

    def refit(self) -> None:
        """Solves for the last layers on all frames."""
        head, encode = self.autoencoder.frame, self.autoencoder.encode

        def samples() -> Iterator[tuple[tuple[Tensor, Tensor], Tensor]]:
            for frames in self.frames.frames.split(64):
                frame = to_unit(frames.permute(0, 3, 1, 2))
                latent = noised(encode(frame))
                yield (latent, head.features(latent)), patchify(frame, PATCH)

        solve((head.linear, head.out), samples())


class ThumbnailPart:
    """The RGB-D thumbnail and the conditions, from finished latents: what memory, motion and events rest on."""

    name = "thumbnail"

    def __init__(self, module: Autoencoder, frames: FrameSet, held_out: FrameSet, batch: int, seed: int) -> None:
        self.autoencoder, self.frames, self.held_out, self.batch = module, frames, held_out, batch
        self.module = nn.ModuleDict({name: module.heads[name] for name in ("thumbnail", "conditions")})
        self.random = torch.Generator(frames.frames.device).manual_seed(seed)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """L1 and edge loss on thumbnails, L1 on log-depth, squared error on conditions; half of the batch mirrored."""
        data = self.frames
        pick = torch.randint(len(data.frames), (self.batch,), generator=self.random, device=data.frames.device)
        frame, depth = to_unit(data.frames[pick].permute(0, 3, 1, 2)), data.depth[pick].float()
        half = self.batch // 2
        frame = torch.cat([frame[:half], frame[half:].flip(3)])
        depth = torch.cat([depth[:half], depth[half:].flip(2)])
        with torch.no_grad():
            latent = noised(self.autoencoder.encode(frame))
        thumb = self.module["thumbnail"](latent, data.pitch[pick])
        losses = {
            "thumb": picture_loss(thumb[:, :3], F.avg_pool2d(frame, 2)),
            "depth": F.l1_loss(thumb[:, 3], depth),
            "conditions": F.mse_loss(self.module["conditions"](latent), data.conditions[pick]),
        }
        total = losses["thumb"] + 4 * losses["depth"] + 2 * losses["conditions"]
        return total, {name: value.detach() for name, value in losses.items()}

    @torch.no_grad()
    def sheet(self, module: nn.Module, path: Path) -> None:
        """Eight held-out frames: thumbnail and log-depth, the truth above and the head's below."""
        pick = torch.linspace(0, len(self.held_out.frames) - 1, 8).long()
        assert isinstance(module, nn.ModuleDict)
        frame = F.avg_pool2d(to_unit(self.held_out.frames[pick].permute(0, 3, 1, 2)), 2)
        thumb = module["thumbnail"](encode_all(self.autoencoder, self.held_out.frames[pick]), self.held_out.pitch[pick])
        true_depth = self.held_out.depth[pick].float()[:, None].to(thumb.device)
        grey = [(depth * 2 - 1).expand(-1, 3, -1, -1) for depth in (true_depth, thumb[:, 3:])]
        save_sheet([frame, thumb[:, :3], *grey], path)


class PicturesPart:
    """The 720p and 360p heads, from finished latents, on strips of true 720p renders."""

    name = "pictures"
    strip = 30
    """Rows of 90 a strip has: a third of the picture, its true borders included."""

    def __init__(self, module: Autoencoder, frames: FrameSet, held_out: FrameSet, batch: int, seed: int) -> None:
        self.autoencoder, self.frames, self.held_out, self.batch = module, frames, held_out, batch
        self.module = nn.ModuleDict({size: module.heads[size] for size in ("720p", "360p")})
        self.latents = encode_all(module, frames.small)
        self.random = torch.Generator(frames.large.device).manual_seed(seed)

    def loss(self, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """L1 and edge losses on a strip of both sizes."""
        device = self.frames.large.device
        pick = torch.randint(len(self.latents), (self.batch,), generator=self.random, device=device)
        top = 10 * int(torch.randint(7, (1,), generator=self.random, device=device))
        rows = (top, top + self.strip)
        large = to_unit(self.frames.large[pick, top * 8 : rows[1] * 8].permute(0, 3, 1, 2))
        latent = noised(self.latents[pick])
        drawn = self.module["720p"](latent, rows)
        losses = {
            "720p": picture_loss(drawn, large) + 8 * F.mse_loss(drawn, large),
            "360p": picture_loss(self.module["360p"](latent, rows), F.avg_pool2d(large, 2)),
        }
        return losses["720p"] + losses["360p"], {"psnr": psnr(drawn.detach(), large).mean(), **losses}

    def refit(self) -> None:
        """Solves for the last layer of both heads on all pictures."""
        for size, shrink in (("720p", 1), ("360p", 2)):
            head = self.autoencoder.head(size)
            solve((head.out,), self._samples(head, shrink))

    def _samples(self, head: FrameHead | PictureHead, shrink: int) -> Iterator[tuple[tuple[Tensor], Tensor]]:
        for latent, large in zip(self.latents.split(1), self.frames.large.split(1), strict=True):
            picture = F.avg_pool2d(to_unit(large.permute(0, 3, 1, 2)), shrink)
            yield (head.features(noised(latent)),), patchify(picture, head.patch)

    @torch.no_grad()
    def sheet(self, module: nn.Module, path: Path) -> None:
        """Four held-out pictures at 720p: the truth above, the head's below."""
        pick = torch.linspace(0, len(self.held_out.large) - 1, 4).long()
        assert isinstance(module, nn.ModuleDict)
        latent = encode_all(self.autoencoder, self.held_out.small[pick])
        save_sheet([to_unit(self.held_out.large[pick].permute(0, 3, 1, 2)), module["720p"](latent)], path)


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
def evaluate_thumbnail(module: Autoencoder, held_out: FrameSet) -> dict[str, float]:
    """Mean absolute errors of log-depth and of conditions on held-out frames."""
    latent = encode_all(module, held_out.frames)
    depth = (module.thumbnail(latent, held_out.pitch)[:, 3] - held_out.depth.float()).abs().mean()
    conditions = (module.conditions(latent) - held_out.conditions).abs().mean()
    return {"log_depth_error": round(float(depth), 4), "conditions_error": round(float(conditions), 4)}


@torch.no_grad()
def evaluate_pictures(module: Autoencoder, held_out: FrameSet) -> dict[str, float]:
    """Mean PSNR in dB against true renders of held-out instants: of the 720p head, and of a bicubic enlargement of
    what the frame head draws, which it has to beat."""
    drawn, enlarged = [], []
    for index in range(len(held_out.large)):
        truth = to_unit(held_out.large[index : index + 1].permute(0, 3, 1, 2))
        latent = encode_all(module, held_out.small[index : index + 1])
        drawn.append(psnr(module.decode(latent, "720p"), truth))
        enlarged.append(psnr(F.interpolate(module.decode(latent), scale_factor=5.0, mode="bicubic"), truth))
    means = {"psnr_720p": torch.cat(drawn).mean(), "psnr_bicubic": torch.cat(enlarged).mean()}
    return {name: round(float(value), 2) for name, value in means.items()}
