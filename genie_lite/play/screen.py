"""What the screens before a world share: the loop, a line of messages, and boxes that can be clicked."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pygame
from numpy.typing import NDArray

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.play.choice import Dropped, Going, Next
from genie_lite.play.panels import ACCENT, AMBER, DIM, INK, Colour, Panels, glass, panels_for, rounded
from genie_lite.play.window import Window
from genie_lite.timing import Clock, Pace, Pacer

GROUND = (24, 28, 34)
BUDGET = 0.03
"""Seconds of a turn of the loop that drawing worlds may take: the window never waits longer than one step more."""

MARGIN = 18


class Screen:
    """Runs until `next` says what follows. Subclasses take events in, do a little work each turn, and draw."""

    def __init__(
        self,
        window: Window,
        *,
        pace: Pace | None = None,
        clock: Clock = time.perf_counter,
        events: Callable[[], Iterable[pygame.event.Event]] = pygame.event.get,
    ) -> None:
        self.window = window
        self.next: Next | None = None
        self.message = ""
        self.mouse = (-1, -1)
        self._pace, self._clock, self._events = pace or Pacer(STEPS_PER_SECOND), clock, events
        self._panels: Panels | None = None
        self._turns = 0

    def run(self) -> Next:
        """Shows the screen until the player goes on; Ctrl-C leaves."""
        try:
            while self.next is None:
                self.tick()
        except KeyboardInterrupt:
            return Going.AWAY
        return self.next

    def tick(self) -> None:
        """One turn of the loop."""
        self._pace.wait()
        for event in self._events():
            self._take(event)
        began = self._clock()
        while self.work() and self._clock() - began < BUDGET:
            pass
        self._turns += 1
        self._panels = panels = panels_for(self.window.picture, self._panels)
        self.window.surface.fill(GROUND)
        self.draw(self.window.surface, self.window.picture, panels)
        self.window.flip()

    def work(self) -> bool:
        """A few milliseconds of what is to be done; False if there is nothing."""
        return False

    def take(self, event: pygame.event.Event) -> None:
        """An event that is for this screen."""

    def draw(self, surface: pygame.Surface, area: pygame.Rect, panels: Panels) -> None:
        """Draws everything into the 16:9 area."""

    def _take(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self.next = Going.AWAY
        elif event.type == pygame.DROPFILE:
            self.next = Dropped(Path(event.file))
        elif event.type == pygame.KEYDOWN and event.key == pygame.K_F11:
            self.window.toggle_fullscreen()
        else:
            if event.type in (pygame.MOUSEMOTION, pygame.MOUSEBUTTONDOWN, pygame.MOUSEBUTTONUP):
                self.mouse = event.pos
            self.take(event)

    def waiting(self) -> str:
        """Dots that come and go."""
        return "." * (1 + self._turns // 8 % 3)


class Buttons:
    """Labels in boxes, in a row from the right or in a column; remembers where it drew them."""

    def __init__(self) -> None:
        self._places: list[tuple[pygame.Rect, str]] = []

    def clear(self) -> None:
        """Forgets them, before they are drawn again."""
        self._places = []

    def put(
        self, surface: pygame.Surface, panels: Panels, labels: Sequence[tuple[str, str]], right: int, bottom: int
    ) -> None:
        """Draws (name, label) in a row that ends at this corner."""
        for name, label in reversed(labels):
            box = panels.once(("button", label), partial(_button, panels, label))
            place = box.get_rect(bottomright=(right, bottom))
            surface.blit(box, place)
            self._places.append((place, name))
            right = place.left - panels.px(8)

    def add(self, place: pygame.Rect, name: str) -> None:
        """Makes a place that is drawn by someone else one to be clicked; later ones lie above earlier ones."""
        self._places.append((place, name))

    def at(self, pos: tuple[int, int]) -> str | None:
        """The name of what lies there."""
        return next((name for place, name in reversed(self._places) if place.collidepoint(pos)), None)


def picture_surface(image: NDArray[np.uint8], size: tuple[int, int]) -> pygame.Surface:
    """An image, uint8 (H, W, 3), smoothly in another size."""
    source = pygame.image.frombuffer(np.ascontiguousarray(image).data, (image.shape[1], image.shape[0]), "RGB")
    if source.get_size() == size:
        return source.copy()
    return pygame.transform.smoothscale(source, size)


def frame_around(surface: pygame.Surface, panels: Panels, place: pygame.Rect, colour: Colour = ACCENT) -> None:
    """A rim around a chosen place."""
    outer = place.inflate(panels.px(8), panels.px(8))

    def draw() -> pygame.Surface:
        rim = rounded(outer.size, panels.px(6), (*colour, 255))
        inside = rounded(
            (outer.width - 2 * panels.px(2), outer.height - 2 * panels.px(2)), panels.px(4), (0, 0, 0, 255)
        )
        rim.blit(inside, (panels.px(2), panels.px(2)), special_flags=pygame.BLEND_RGBA_SUB)
        return rim

    surface.blit(panels.once(("rim", outer.size, colour), draw), outer)


def hollow(panels: Panels, size: tuple[int, int], words: str) -> pygame.Surface:
    """An empty tile with a word in it."""
    surface = glass(size, panels.px(6))
    text = panels.text(words, 15, DIM)
    surface.blit(text, text.get_rect(center=surface.get_rect().center))
    return surface


def chip_rows(
    panels: Panels, chips: Sequence[tuple[str, str]], width: int, most_rows: int, align: float = 0.5
) -> pygame.Surface:
    """Rows of chips, each a phrase and what it set; what set nothing has a question mark."""
    rows: list[list[pygame.Surface]] = [[]]
    for phrase, sets in chips:
        words = shortened(phrase, 48)
        parts = (
            [panels.text(words, 15), panels.text(sets, 14, ACCENT)] if sets else [panels.text(f"{words} ?", 15, AMBER)]
        )
        chip = panels.box(panels.row(parts, 8), (12, 6))
        if rows[-1] and sum(part.get_width() + panels.px(6) for part in rows[-1]) + chip.get_width() > width:
            rows.append([])
        rows[-1].append(chip)
    return panels.column([panels.row(row, 6) for row in rows[:most_rows]], 6, align)


def shortened(words: str, longest: int) -> str:
    """Words that fit, the rest cut off."""
    return words if len(words) <= longest else words[: longest - 1] + "…"


def wrapped(panels: Panels, words: str, size: float, width: int, most: int) -> list[str]:
    """Lines of words that fit a width in pixels, at most so many."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and panels.text(longer, size).get_width() > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return (
        lines
        if len(lines) <= most
        else [*lines[: most - 1], shortened(lines[most - 1] + "……", len(lines[most - 1]) + 1)]
    )


def padlock(panels: Panels, shut: bool) -> pygame.Surface:
    """A small padlock on a dark disc."""
    size = panels.px(28)
    surface = rounded((size, size), size // 2, (13, 16, 21, 200))
    fine = rounded((size * 4, size * 4), 1, (0, 0, 0, 0))
    colour, unit = ACCENT if shut else INK, size * 4 / 28
    pygame.draw.rect(fine, colour, _scaled(unit, 8, 13, 12, 9), border_radius=round(2 * unit))
    bow = _scaled(unit, 10, 7 if shut else 4, 8, 12)
    pygame.draw.arc(fine, colour, bow, 0, math.pi, round(2 * unit))
    for x in (bow.left, bow.right - round(2 * unit)) if shut else (bow.left,):
        pygame.draw.rect(fine, colour, (x, bow.centery, round(2 * unit), round(14 * unit) - bow.centery))
    surface.blit(pygame.transform.smoothscale(fine, (size, size)), (0, 0))
    return surface


def _scaled(unit: float, *sides: float) -> pygame.Rect:
    return pygame.Rect(*(round(side * unit) for side in sides))


def _button(panels: Panels, label: str) -> pygame.Surface:
    return panels.box(panels.text(label, 15), (12, 7))
