"""The convolutional U-Net behind dynamics: 32x18 -> 16x9 -> 8x5 and back, one FiLM vector for all."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.model.layers import ResidualBlock, SelfAttention, zero


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """Channels at the three sizes, residual blocks on the way down, in the middle, and on the way up; embedding:
    numbers that the vector becomes, from which every block's scale and shift are read."""

    channels: tuple[int, int, int] = (64, 128, 256)
    down_blocks: tuple[int, int] = (1, 1)
    middle_blocks: int = 2
    up_blocks: tuple[int, int] = (2, 2)
    embedding: int = 256


class UNet(nn.Module):
    """Maps B in H W and a vector B V to B out H W. The last layer starts at zero."""

    def __init__(self, config: UNetConfig, inputs: int, outputs: int, vector: int) -> None:
        super().__init__()
        c0, c1, c2 = config.channels
        self.stem = nn.Conv2d(inputs, c0, 3, padding=1)
        self.down0 = nn.ModuleList(ResidualBlock(c0) for _ in range(config.down_blocks[0]))
        self.shrink0 = nn.Conv2d(c0, c1, 3, stride=2, padding=1)
        self.down1 = nn.ModuleList(ResidualBlock(c1) for _ in range(config.down_blocks[1]))
        self.shrink1 = nn.Conv2d(c1, c2, 3, stride=2, padding=1)
        self.middle = nn.ModuleList(ResidualBlock(c2) for _ in range(config.middle_blocks))
        self.attention = SelfAttention(c2, c2 // 32)
        self.grow1 = nn.Conv2d(c2, c1, 1)
        self.up1 = nn.ModuleList(ResidualBlock(c1) for _ in range(config.up_blocks[1]))
        self.grow0 = nn.Conv2d(c1, c0, 1)
        self.up0 = nn.ModuleList(ResidualBlock(c0) for _ in range(config.up_blocks[0]))
        self.out = nn.Conv2d(c0, outputs, 3, padding=1)
        zero(self.out)
        blocks = [*self.down0, *self.down1, *self.middle, *self.up1, *self.up0]
        self.film_sizes = [2 * block.conv1.out_channels for block in blocks]
        self.embed = nn.Sequential(
            nn.Linear(vector, config.embedding), nn.SiLU(), nn.Linear(config.embedding, config.embedding), nn.SiLU()
        )
        self.film = nn.Linear(config.embedding, sum(self.film_sizes))
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """x: B in H W, vector: B V -> B out H W."""
        films = iter(self.film(self.embed(vector)).split(self.film_sizes, dim=1))
        x0 = self._run(self.down0, self.stem(x), films)
        x1 = self._run(self.down1, self.shrink0(x0), films)
        x2 = self.attention(self._run(self.middle, self.shrink1(x1), films))
        x1 = self._run(self.up1, x1 + F.interpolate(self.grow1(x2), size=x1.shape[-2:]), films)
        x0 = self._run(self.up0, x0 + F.interpolate(self.grow0(x1), size=x0.shape[-2:]), films)
        return self.out(F.silu(x0))

    @staticmethod
    def _run(blocks: nn.ModuleList, x: Tensor, films: object) -> Tensor:
        for block in blocks:
            x = block(x, next(films))  # type: ignore[call-overload]
        return x
