"""The light of hour and weather: what it makes of a colour, by how far off the thing is and how high it stands.

A thing in a landscape is seen in its own colour times the light that reaches it, and behind air that gives a light of
its own, the more the farther it is and the thicker the air (Koschmieder's law); the sky is nothing but air, and its
light depends on how high one looks. So, under some conditions, colour = air + gain * the thing's own, and to see a
picture under others is to undo one such line and follow another. Both are learnt from places that were seen under many
skies (train/weather.py), and read at every pixel off a table over distance and height (as in a bilateral grid, Chen et
al. 2007).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genie_lite.camera import FAR, NEAR, THUMB_HEIGHT, THUMB_WIDTH
from genie_lite.conditions import BIOME_COLUMNS, BIOMES, HOUR_COLUMNS, WEATHER_COLUMNS
from genie_lite.model.reproject import SKY, camera_rays

SKY_FEATURES = 13 + len(BIOMES)
WEATHER = [9, 10, 11, 12]
"""Which sky features tell fog, rain, snowfall and clouds."""

DEPTHS, HEIGHTS = 24, 20
"""Entries of the table: distances of land, from near to far, and one for the sky; sines of angles, from below to above
the eye."""

MOST_GAIN = 3.0
"""By what a thing's own colour is made stronger at most: what is lost in fog or darkness does not come back."""

FAINTEST = -8.0
"""Lower bound on the logarithm of the share of light that passes through the air."""


class Light(nn.Module):
    """Sky features, a sine of height in [-1, 1], a log-distance in [0, 1] -> the air's colour and the logarithm of the
    gain, 3 each."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(SKY_FEATURES + 6, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 9)
        )
        last = self.net[4]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        # From the weather: how far one sees, as the logarithm of so many NEARs, and how veiled clouds and stars are.
        self.sight = nn.Linear(len(WEATHER), 1)
        self.veil = nn.Linear(len(WEATHER), 1)
        nn.init.constant_(self.sight.weight, -0.5)
        nn.init.constant_(self.sight.bias, 7.0)
        nn.init.constant_(self.veil.weight, 1.0)
        nn.init.constant_(self.veil.bias, -2.0)
        self.suddenness = nn.Parameter(torch.tensor(1.5))

    def forward(self, sky: Tensor, height: Tensor, distance: Tensor) -> Tensor:
        """... SKY_FEATURES, ... 1, ... 1 -> ... 6."""
        above = (distance > SKY).to(sky.dtype)
        far = distance.clamp_max(SKY) * (1 - above)
        place = torch.cat([height, height.abs().sqrt() * height.sign(), height.square(), far, far.square(), above], -1)
        air, land, gain = self.net(torch.cat([sky, place], -1)).chunk(3, -1)
        # Of what is behind air, exp(-(distance / sight) ** suddenness) comes through.
        weather = sky[..., WEATHER]
        hidden = ((far * math.log(FAR / NEAR) - self.sight(weather)) * self.suddenness).exp()
        through = -torch.where(above > 0, F.softplus(self.veil(weather)), hidden).clamp_max(-FAINTEST)
        return torch.cat([air + through.exp() * (land - air) * (1 - above), gain + through], -1)

    def table(self, conditions: Tensor) -> Tensor:
        """B 18 -> B 6 HEIGHTS DEPTHS; the last distance is the sky."""
        far = torch.linspace(0, SKY, DEPTHS - 1, device=conditions.device)
        far = torch.cat([far, torch.ones(1, device=conditions.device)])
        height = torch.linspace(-1, 1, HEIGHTS, device=conditions.device)
        size = len(conditions), HEIGHTS, DEPTHS
        sky = sky_features(conditions)[:, None, None].expand(*size, -1)
        parts = height[:, None].expand(size)[..., None], far.expand(size)[..., None]
        return self(sky, *parts).permute(0, 3, 1, 2)

    @torch.no_grad()
    def lines(self, log_depth: Tensor, pitch: Tensor, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What leads from a colour to what it is under other conditions (see `follow`): the air's colour, that of the
        other air, and the change of the gain's logarithm, N 3 72 128 each.

        log_depth: N 1 72 128; pitch: N, of the eye, in radians; before: N 18, the conditions of the colour; after: 1 18
        or N 18.
        """
        (air, gain), (other_air, other_gain) = (self.table(row).chunk(2, 1) for row in (before, after))
        lines = torch.cat([air, other_air.expand_as(air), other_gain - gain], 1)
        far = distances(log_depth[:, 0])
        land = (2 * far / SKY) * ((DEPTHS - 2) / (DEPTHS - 1)) - 1
        where = torch.stack([torch.where(far > SKY, 1.0, land), heights(pitch)], 3)
        air, other_air, gain = F.grid_sample(lines, where, align_corners=True).chunk(3, 1)
        return air, other_air, gain

    def relit(self, colours: Tensor, log_depth: Tensor, pitch: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """Colours under other conditions: N 3 H W in [-1, 1], where H W are 72 128 or a multiple; the rest as for
        `lines`."""
        lines = torch.cat(self.lines(log_depth, pitch, before, after), 1)
        air, other_air, gain = F.interpolate(lines, size=colours.shape[2:]).chunk(3, 1)
        return (2 * follow((colours + 1) / 2, air, other_air, gain) - 1).clamp(-1, 1)


def follow(colours: Tensor, air: Tensor, other_air: Tensor, gain: Tensor) -> Tensor:
    """Colours in [0, 1] from one line to another, all of one shape; gain: the logarithm of the other's gain by this
    one's."""
    return other_air + (colours - air) * gain_of(gain)


def gain_of(logarithm: Tensor) -> Tensor:
    """A gain, at most MOST_GAIN, by its logarithm."""
    return logarithm.clamp_max(math.log(MOST_GAIN)).exp()


def distances(log_depth: Tensor) -> Tensor:
    """Log-depth of thumbnails, which is along the viewing axis, as distance along the ray on the same scale, at most
    SKY; 1 for the sky: N 72 128 -> N 72 128."""
    right, up, _ = camera_rays(log_depth.device).reshape(3, THUMB_HEIGHT, THUMB_WIDTH)
    longer = (1 + right.square() + up.square()).log() / (2 * math.log(FAR / NEAR))
    return torch.where(log_depth > SKY, 1.0, (log_depth + longer).clamp_max(SKY))


def heights(pitch: Tensor) -> Tensor:
    """The sine of the angle above the eye at which each pixel of a thumbnail looks, by the eye's pitch: N -> N 72
    128."""
    right, up, _ = camera_rays(pitch.device).reshape(3, THUMB_HEIGHT, THUMB_WIDTH)
    sine, cosine = pitch.sin()[:, None, None], pitch.cos()[:, None, None]
    return (up * cosine + sine) / (1 + right.square() + up.square()).sqrt()


def sky_features(conditions: Tensor) -> Tensor:
    """Conditions B 18 -> B SKY_FEATURES: four waves of the hour, the weather, and the biomes."""
    sin, cos = conditions[:, HOUR_COLUMNS].unbind(1)
    two, three = (2 * sin * cos, cos * cos - sin * sin), (3 * sin - 4 * sin**3, 4 * cos**3 - 3 * cos)
    four = (2 * two[0] * two[1], two[1] ** 2 - two[0] ** 2)
    hours = torch.stack([torch.ones_like(sin), sin, cos, *two, *three, *four], 1)
    return torch.cat([hours, conditions[:, WEATHER_COLUMNS], conditions[:, BIOME_COLUMNS]], 1)
