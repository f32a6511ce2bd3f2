"""The first latent of a world from conditions alone: a flow whose denoiser needs no network.

The best denoiser for a set of examples is known: their mean, each weighted by how well it explains the noisy latent.
Judged cell by cell in a window that shrinks as the noise falls, no example wins everywhere, and what comes out is a
place that none of them shows, composed of parts that fit each other: the local score machine of Kamb and Ganguli
(2024, An analytic theory of creativity in convolutional diffusion models).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.camera import THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.conditions import BIOME_COLUMNS, BIOMES, CONDITIONS_DIM, HOUR_COLUMNS, SKY_COLUMNS
from genie_lite.model.autoencoder import LATENT_BOUND, LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH
from genie_lite.model.candidates import Candidates, blurred, shares
from genie_lite.model.sampler import flow

STEPS = 16
NEAREST = 64
"""Examples with the likest conditions that take part in one drawing."""

WINDOWS = ((0.35, (35, 15), 480.0), (0.6, (9, 9), 160.0), (1.0, (5, 5), 64.0))
"""Until which flow time a window of (rows, columns) is looked through, and how many numbers of it count as independent:
fewer than it has, for neighbours tell much the same."""

LIKE, STRICTNESS = 8, 14.0
"""Scale of the prior: an example as far from the request as the LIKE-th after the nearest loses STRICTNESS in
log-probability."""

CHANCE = 4.5
"""Spread of the chance by which one example is preferred to another, in the same units."""

TIRED, RESTED = 12.0, 0.9
"""How much less an example is preferred, in the same units, each time that it has been shown; and the share of that
which is left whenever another view has been drawn, or ever worse ones would take turns with the likest."""

LATENT_STEP, DEPTH_STEP = LATENT_BOUND / 127, 1 / 255
"""What one unit of the stored examples' bytes stands for, in latents and in log-depth (3 % of a distance)."""

Drawn = tuple[Tensor, Tensor]
"""A view as far as it has been drawn: its latent, 1 16 18 32, and, once it is finished, its log-depth, 1 1 72 128."""

_FEATURES = CONDITIONS_DIM + 2 * len(BIOMES) + 1
# The country counts most, then what can be seen in it; hour and weather least, for examples are put into another light.
_WEIGHT = (2.5,) * len(BIOMES) + (1.5, 1.5, 0.8, 0.6, 0.6, 0.6, 2.0, 1.5, 1.5, 2.0)

Relit = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Shows latents (N 16 18 32) with their log-depth (N 1 72 128) under other conditions: theirs, then others, N 18
each."""


@dataclass(frozen=True, slots=True)
class FirstFrameConfig:
    """How many example views the part keeps (18 KB each)."""

    examples: int = 912


class FirstFrame(nn.Module):
    """Example views, latent and depth, with the conditions that they show, and a linear map from conditions to each
    row's mean latent, by which an example's colours are moved to the conditions asked for. relit, if set, first puts
    them under the sky asked for."""

    def __init__(self, config: FirstFrameConfig) -> None:
        super().__init__()
        self.config = config
        self.relit: Relit | None = None
        self._last: tuple[tuple[bytes, int, Relit | None], Candidates] | None = None
        self.latents: Tensor
        self.depths: Tensor
        self.conditions: Tensor
        self.mean: Tensor
        # As bytes, so that depth fits in as well.
        shape = config.examples, LATENT_CHANNELS, LATENT_HEIGHT, LATENT_WIDTH
        self.register_buffer("latents", torch.zeros(shape, dtype=torch.int8))
        self.register_buffer("depths", torch.zeros(config.examples, THUMB_HEIGHT, THUMB_WIDTH, dtype=torch.uint8))
        self.register_buffer("conditions", torch.zeros(config.examples, CONDITIONS_DIM))
        self.register_buffer("mean", torch.zeros(_FEATURES, LATENT_CHANNELS * LATENT_HEIGHT))

    @torch.no_grad()
    def fit(self, latents: Tensor, depths: Tensor, conditions: Tensor, ridge: float = 0.003) -> None:
        """Keeps examples (N 16 18 32, log-depth N 72 128, conditions N 18), evenly chosen if there are more than it
        has room for, over again if there are fewer."""
        n, room = len(latents), self.config.examples
        chosen = torch.linspace(0, n - 1, room).long() if n >= room else torch.arange(room) % n
        self.latents.copy_((latents[chosen] / LATENT_STEP).round())
        self.depths.copy_((depths[chosen] / DEPTH_STEP).round())
        self.conditions.copy_(conditions[chosen])
        features = _features(conditions)
        within = features.T @ features + ridge * n * torch.eye(_FEATURES, device=features.device)
        self.mean.copy_(torch.linalg.solve(within, features.T @ latents.float().mean(3).flatten(1)))
        self._last = None

    @property
    def examples(self) -> Tensor:
        """All example latents, N 16 18 32."""
        return self.latents.float() * LATENT_STEP

    def unshown(self) -> Tensor:
        """How often a new world has lately shown each example (see `draw`): zeros, float (examples,)."""
        return torch.zeros(self.config.examples)

    @torch.no_grad()
    def forward(self, noise: Tensor, conditions: Tensor) -> Drawn:
        """noise: 1 16 18 32, standard normal; conditions: 1 18. Returns the view, whole."""
        *_, drawn = self.draw(noise, conditions)
        return drawn

    @torch.no_grad()
    def draw(
        self,
        noise: Tensor,
        conditions: Tensor,
        seen: tuple[Tensor, Tensor] | None = None,
        nearest: int = NEAREST,
        steps: int = STEPS,
        chance: float = CHANCE,
        guidance: float = 1.0,
        shown: Tensor | None = None,
    ) -> Iterator[Drawn]:
        """Draws one view, and yields it after each denoising step, the last of which finishes it.

        seen: a coarse guess at it, 1 16 18 32, and until which flow time each cell, 18 32 in [0, 1], is kept to (as in
        RePaint, Lugmayr et al. 2022); from then on the drawing makes of it what the examples know. guidance: the power
        to which the conditions count, as in classifier-free guidance (Ho and Salimans 2022), for which a mixture of
        examples needs no second evaluation: 0 draws any of the nearest, 1 what is as likely as it should be. shown: how
        often a world has lately shown each example, float (examples,), to which this view is added; others are
        preferred.
        """
        candidates = self.candidates(conditions, nearest)
        # Chance takes part in the choice (Gumbel's way), or every place of a world would look like its likest example.
        uniform = torch.special.ndtr(noise.flatten()[: len(candidates.latents)])
        log_prior = guidance * candidates.log_prior - chance * (-uniform.log()).log()[:, None, None]
        if shown is not None:
            log_prior = log_prior - TIRED * shown[candidates.numbers, None, None]
        depth = share = torch.empty(0)

        def denoise(noisy: Tensor, time: Tensor) -> Tensor:
            t = float(time[0, 0])
            window, numbers = next((size, numbers) for until, size, numbers in WINDOWS if t < until)
            error = blurred(candidates.error(noisy, t), window)
            nonlocal share
            share = shares(log_prior - numbers * error / (2 * (1 - t) ** 2))
            clean = candidates.latent(share)
            return torch.where(t < seen[1], seen[0], clean) if seen else clean

        for step, latent in enumerate(flow(denoise, noise, steps, shift=2.0), 1):
            if step == steps:
                depth = candidates.depth(share)
                if shown is not None:
                    shown *= RESTED
                    shown[candidates.numbers] += share.mean((1, 2))
            yield latent.clamp(-LATENT_BOUND, LATENT_BOUND), depth

    def recolour(self, conditions: Tensor, asked: Tensor) -> Tensor:
        """What to add to latents for their rows to take the colours of other conditions: B 18, 1 18 -> B 16 18 1."""
        return self.row_means(asked) - self.row_means(conditions)

    def row_means(self, conditions: Tensor) -> Tensor:
        """The mean latent of each row under conditions B 18: B 16 18 1."""
        return (_features(conditions) @ self.mean).reshape(-1, LATENT_CHANNELS, LATENT_HEIGHT, 1)

    @torch.no_grad()
    def candidates(self, asked: Tensor, nearest: int) -> Candidates:
        """The `nearest` examples to conditions 1 18, as they would look under them; the last answer is kept."""
        last, key = self._last, (asked.cpu().numpy().tobytes(), nearest, self.relit)
        if last and last[0] == key:
            return last[1]
        weight = torch.tensor(_WEIGHT, device=asked.device)
        away = ((self.conditions - asked) * weight).square().sum(1)
        chosen = away.topk(min(nearest, len(away)), largest=False).indices
        latents, shown = self.latents[chosen].float() * LATENT_STEP, self.conditions[chosen]
        depths = self.depths[chosen][:, None].float() * DEPTH_STEP
        if self.relit:
            under = shown.clone()
            under[:, SKY_COLUMNS] = asked[:, SKY_COLUMNS]
            latents, shown = self.relit(latents, depths, shown, under), under
        latents = latents + self.recolour(shown, asked)
        behind = away[chosen] - away[chosen[0]]
        prior = -STRICTNESS * behind / behind[: LIKE + 1][-1].clamp_min(1e-3)
        found = Candidates(
            chosen,
            latents,
            prior[:, None, None].expand(-1, LATENT_HEIGHT, LATENT_WIDTH),
            F.pixel_unshuffle(depths, THUMB_HEIGHT // LATENT_HEIGHT),
        )
        self._last = key, found
        return found


def _features(conditions: Tensor) -> Tensor:
    """B 18 -> B 35: the conditions, each biome at each hour (light colours land), and 1."""
    biomes, hour = conditions[:, BIOME_COLUMNS], conditions[:, HOUR_COLUMNS]
    both = (biomes[:, :, None] * hour[:, None]).flatten(1)
    return torch.cat([conditions, both, torch.ones_like(conditions[:, :1])], 1)
