"""The last layer of a head in closed form: with all before it fixed, its best weights are a linear regression."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

RIDGE = 1e-6
"""Added to the diagonal, as a share of its mean, so that idle features have a solution too."""


@runtime_checkable
class Refits(Protocol):
    """A part whose last layers are solved for when training is over: gradient steps leave some tenths of a dB there."""

    def refit(self) -> None:
        """Puts the least-squares solution into the module's last layers."""
        ...


@torch.no_grad()
def solve(layers: Sequence[nn.Conv2d], samples: Iterable[tuple[Sequence[Tensor], Tensor]]) -> None:
    """Sets pointwise convolutions whose outputs add up to the best they can do on the samples, in squared error.

    samples: what goes into each layer (B C h w each), and what their sum should be (B D h w).
    """
    sizes = [layer.in_channels for layer in layers]
    device = layers[0].weight.device
    within = torch.zeros(sum(sizes) + 1, sum(sizes) + 1, dtype=torch.float64, device=device)
    across = torch.zeros(sum(sizes) + 1, layers[0].out_channels, dtype=torch.float64, device=device)
    for inputs, target in samples:
        x = torch.cat([*inputs, torch.ones_like(target[:, :1])], 1).movedim(1, 0).flatten(1).float()
        y = target.movedim(1, 0).flatten(1).float()
        within += (x @ x.T).double()
        across += (x @ y.T).double()
    within += RIDGE * within.diagonal().mean() * torch.eye(len(within), device=device)
    *weights, bias = torch.linalg.solve(within, across).float().split([*sizes, 1])
    for layer, weight in zip(layers, weights, strict=True):
        assert layer.bias is not None
        layer.weight.copy_(weight.T[:, :, None, None])
        layer.bias.zero_()
    assert layers[0].bias is not None
    layers[0].bias.copy_(bias[0])
