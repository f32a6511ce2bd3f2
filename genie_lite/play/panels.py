"""Small translucent panels of text, put together from rows and columns. Drawn once each; only blitted afterwards."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import pygame

Colour = tuple[int, int, int]

INK: Colour = (246, 247, 249)
DIM: Colour = (206, 212, 220)
ACCENT: Colour = (134, 214, 190)
AMBER: Colour = (255, 196, 92)
RED: Colour = (255, 128, 112)
GLASS = (13, 16, 21, 184)
"""Dark enough for white text over snow, light enough to see the world through."""

EDGE = (255, 255, 255, 34)
"""A faint rim, so that a panel has a shape at night too."""

FACE = Path(__file__).with_name("font") / "DejaVuSansCondensed.ttf"
"""Panels are laid out around it; the system's own faces differ in width, and take seconds to look for."""

MOST_PANELS = 128


class Panels:
    """Draws text, stacks and boxes at one scale (1 for a 720p picture) and remembers finished panels."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self._fonts: dict[int, pygame.font.Font] = {}
        self._finished: dict[Hashable, pygame.Surface] = {}
        self._changing: dict[Hashable, tuple[Hashable, pygame.Surface]] = {}

    def px(self, units: float) -> int:
        """Pixels for a length given for a 720p picture, one at least."""
        return max(1, round(units * self.scale))

    def once(self, key: Hashable, draw: Callable[[], pygame.Surface]) -> pygame.Surface:
        """The panel of this key, drawn only the first time."""
        if key not in self._finished:
            if len(self._finished) >= MOST_PANELS:
                self._finished.pop(next(iter(self._finished)))
            self._finished[key] = draw()
        return self._finished[key]

    def fresh(self, key: Hashable, version: Hashable, draw: Callable[[], pygame.Surface]) -> pygame.Surface:
        """The panel of this key, drawn anew whenever its version changes."""
        if self._changing.get(key, (None,))[0] != version:
            self._changing[key] = version, draw()
        return self._changing[key][1]

    def text(self, words: str, size: float = 17, colour: Colour = INK) -> pygame.Surface:
        """One line of text."""
        pixels = self.px(size)
        if pixels not in self._fonts:
            self._fonts[pixels] = pygame.font.Font(FACE, pixels)
        return self._fonts[pixels].render(words, True, colour)

    def row(self, parts: Sequence[pygame.Surface], gap: float = 12) -> pygame.Surface:
        """Side by side, centred vertically."""
        height = max(part.get_height() for part in parts)
        surface = _clear(sum(p.get_width() for p in parts) + self.px(gap) * (len(parts) - 1), height)
        x = 0
        for part in parts:
            surface.blit(part, (x, (height - part.get_height()) // 2))
            x += part.get_width() + self.px(gap)
        return surface

    def column(self, parts: Sequence[pygame.Surface], gap: float = 8, align: float = 0.5) -> pygame.Surface:
        """One below the other; align is 0 for left, 0.5 for centred."""
        width = max(part.get_width() for part in parts)
        surface = _clear(width, sum(p.get_height() for p in parts) + self.px(gap) * (len(parts) - 1))
        y = 0
        for part in parts:
            surface.blit(part, (round((width - part.get_width()) * align), y))
            y += part.get_height() + self.px(gap)
        return surface

    def table(self, rows: Sequence[tuple[str, str]], size: float = 17) -> pygame.Surface:
        """Two columns: a name in ink, its meaning dimmed."""
        pairs = [(self.text(name, size), self.text(meaning, size, DIM)) for name, meaning in rows]
        # Lines of text differ in height by a pixel, which would add up.
        height = max(part.get_height() for pair in pairs for part in pair)
        across = max(left.get_width() for left, _ in pairs) + self.px(34)
        surface = _clear(across + max(right.get_width() for _, right in pairs), (height + self.px(9)) * len(pairs))
        for number, pair in enumerate(pairs):
            for x, part in zip((0, across), pair, strict=True):
                surface.blit(part, (x, (height + self.px(9)) * number + (height - part.get_height()) // 2))
        return surface

    def box(self, content: pygame.Surface, padding: tuple[float, float] = (16, 10)) -> pygame.Surface:
        """The content on a translucent panel with round corners."""
        across, along = self.px(padding[0]), self.px(padding[1])
        size = (content.get_width() + 2 * across, content.get_height() + 2 * along)
        surface = glass(size, self.px(10))
        surface.blit(content, (across, along))
        return surface.convert_alpha()

    def bar(self, share: float, width: float, colour: Colour) -> pygame.Surface:
        """A thin bar filled to a share in [0, 1]."""
        surface = rounded((self.px(width), self.px(5)), self.px(2), (255, 255, 255, 60))
        filled = round(self.px(width) * min(1.0, max(0.0, share)))
        if filled:
            surface.blit(rounded((filled, self.px(5)), self.px(2), (*colour, 255)), (0, 0))
        return surface

    def key(self, label: str, pressed: bool, width: float = 30) -> pygame.Surface:
        """A key cap, lit while pressed."""
        size, radius = (self.px(width), self.px(30)), self.px(6)
        surface = rounded(size, radius, (246, 247, 249, 236)) if pressed else glass(size, radius)
        words = self.text(label, 14, (20, 24, 30) if pressed else DIM)
        surface.blit(words, words.get_rect(center=surface.get_rect().center))
        return surface


def panels_for(picture: pygame.Rect, panels: Panels | None) -> Panels:
    """Panels in the scale of the picture: the given ones if they fit."""
    scale = min(3.0, max(0.6, picture.height / 720))
    return panels if panels is not None and panels.scale == scale else Panels(scale)


def rounded(size: tuple[int, int], radius: int, colour: tuple[int, int, int, int]) -> pygame.Surface:
    """A filled rectangle with smooth round corners."""
    fine = 4
    large = pygame.Surface((size[0] * fine, size[1] * fine), pygame.SRCALPHA)
    large.fill((*colour[:3], 0))
    pygame.draw.rect(large, colour, large.get_rect(), border_radius=radius * fine)
    return pygame.transform.smoothscale(large, size)


def glass(size: tuple[int, int], radius: int) -> pygame.Surface:
    """A translucent dark panel with a faint rim."""
    surface = rounded(size, radius, EDGE)
    inside = rounded((size[0] - 2, size[1] - 2), max(1, radius - 1), GLASS)
    hole = rounded((size[0] - 2, size[1] - 2), max(1, radius - 1), (255, 255, 255, 255))
    surface.blit(hole, (1, 1), special_flags=pygame.BLEND_RGBA_SUB)
    surface.blit(inside, (1, 1))
    return surface


def _clear(width: int, height: int) -> pygame.Surface:
    return pygame.Surface((width, height), pygame.SRCALPHA)
