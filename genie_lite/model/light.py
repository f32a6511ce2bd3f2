"""The light of hour and weather: what it makes of a colour, by how far off the thing is and how high it stands.

A thing in a landscape is seen in its own colour times the light that reaches it, and behind air that gives a light of
its own, the more the farther it is (Koschmieder's law); the sky is nothing but air, and its light depends on how high
one looks. So, under some conditions, colour = air + gain * the thing's own, and to see a picture under others is to
undo one such line and follow another. Both are learnt from places that were seen under many skies (train/weather.py)
as a table over distance and height (as in a bilateral grid, Chen et al. 2007), read at every pixel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.camera import THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.conditions import BIOMES
from genie_lite.model.reproject import SKY, camera_rays

SKY_FEATURES = 13 + len(BIOMES)
DEPTHS, HEIGHTS = 12, 20
"""Entries of the table: distances of land, from near to far, and one for the sky; sines of angles, from below to above
the eye."""

MOST_GAIN = 3.0
"""By what a thing's own colour is made stronger or weaker at most: what is lost in the dark does not come back."""


class Light(nn.Module):
    """Sky features, a sine of height in [-1, 1], a log-depth in [0, 1] -> the air's colour and the logarithm of the
    gain, 3 each."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(SKY_FEATURES + 6, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 6)
        )
        last = self.net[4]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, sky: Tensor, height: Tensor, depth: Tensor) -> Tensor:
        """... SKY_FEATURES, ... 1, ... 1 -> ... 6."""
        above = (depth > SKY).to(sky.dtype)
        far = depth.clamp_max(SKY) * (1 - above)
        place = torch.cat([height, height.abs().sqrt() * height.sign(), height.square(), far, far.square(), above], -1)
        lit: Tensor = self.net(torch.cat([sky, place], -1))
        return lit

    def table(self, conditions: Tensor) -> Tensor:
        """B 18 -> B 6 HEIGHTS DEPTHS; the last depth is the sky."""
        depth = torch.linspace(0, SKY, DEPTHS - 1, device=conditions.device)
        depth = torch.cat([depth, torch.ones(1, device=conditions.device)])
        height = torch.linspace(-1, 1, HEIGHTS, device=conditions.device)
        size = len(conditions), HEIGHTS, DEPTHS
        sky = sky_features(conditions)[:, None, None].expand(*size, -1)
        parts = height[:, None].expand(size)[..., None], depth.expand(size)[..., None]
        return self(sky, *parts).permute(0, 3, 1, 2)

    @torch.no_grad()
    def relit(self, colours: Tensor, log_depth: Tensor, pitch: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """Colours under other conditions: N 3 H W in [-1, 1], where H W are 72 128 or a multiple.

        log_depth: N 1 72 128; pitch: N, of the eye, in radians; before: N 18, the conditions they were seen under;
        after: 1 18.
        """
        (air, gain), (other_air, other_gain) = (self.table(row).chunk(2, 1) for row in (before, after))
        lines = torch.cat([air, other_air.expand_as(air), other_gain - gain], 1)
        land = (2 * log_depth[:, 0] / SKY).clamp_max(2) * ((DEPTHS - 2) / (DEPTHS - 1)) - 1
        where = torch.stack([torch.where(log_depth[:, 0] > SKY, 1.0, land), heights(pitch)], 3)
        maps = F.grid_sample(lines, where, align_corners=True)
        air, other_air, gain = F.interpolate(maps, size=colours.shape[2:]).chunk(3, 1)
        return (2 * follow((colours + 1) / 2, air, other_air, gain) - 1).clamp(-1, 1)


def follow(colours: Tensor, air: Tensor, other_air: Tensor, gain: Tensor) -> Tensor:
    """Colours in [0, 1] from one line to another, all of one shape; gain: the logarithm of the other's gain by this
    one's."""
    return other_air + (colours - air) * gain.exp().clamp(1 / MOST_GAIN, MOST_GAIN)


def heights(pitch: Tensor) -> Tensor:
    """The sine of the angle above the eye at which each pixel of a thumbnail looks, by the eye's pitch: N -> N 72
    128."""
    right, up, _ = camera_rays(pitch.device).reshape(3, THUMB_HEIGHT, THUMB_WIDTH)
    sine, cosine = pitch.sin()[:, None, None], pitch.cos()[:, None, None]
    return (up * cosine + sine) / (1 + right.square() + up.square()).sqrt()


def sky_features(conditions: Tensor) -> Tensor:
    """Conditions B 18 -> B SKY_FEATURES: four waves of the hour, the weather, and the biomes."""
    sin, cos = conditions[:, 8], conditions[:, 9]
    two, three = (2 * sin * cos, cos * cos - sin * sin), (3 * sin - 4 * sin**3, 4 * cos**3 - 3 * cos)
    four = (2 * two[0] * two[1], two[1] ** 2 - two[0] ** 2)
    hours = torch.stack([torch.ones_like(sin), sin, cos, *two, *three, *four], 1)
    return torch.cat([hours, conditions[:, 10:14], conditions[:, :8]], 1)
