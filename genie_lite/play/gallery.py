"""The gallery: worlds that are files, with first frames that the model draws; click one to walk into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pygame
from numpy.typing import NDArray

from genie_lite.engine.protocol import Sketcher
from genie_lite.errors import WorldFileError
from genie_lite.play.candidates import Candidate
from genie_lite.play.choice import Going, choice_of
from genie_lite.play.loading import Loading
from genie_lite.play.panels import AMBER, DIM, Panels
from genie_lite.play.screen import (
    MARGIN,
    Buttons,
    Screen,
    frame_around,
    hollow,
    picture_surface,
    shortened,
    wrapped,
)
from genie_lite.play.window import Window
from genie_lite.world_file import SUFFIX, WorldFile, read_world

COLUMNS, ROWS = 4, 3
SKETCH = "sketch"
_KEYS = "click or Enter  walk in     arrows  choose     wheel  more     drop a world or a picture onto the window"


@dataclass(frozen=True)
class Entry:
    """A world in the gallery, or why it cannot be opened."""

    path: Path
    world: WorldFile | None
    problem: str = ""


def entries_of(folders: Sequence[Path]) -> list[Entry]:
    """The worlds in these folders, by name; a damaged one is there with what is wrong with it."""
    return [_entry(path) for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}"))]


class GalleryScreen(Screen):
    """Shows worlds until the player enters one, or goes elsewhere. drawn: first frames that are known already, by path
    and world; the screen adds to it."""

    def __init__(
        self,
        window: Window,
        loading: Loading,
        entries: Sequence[Entry],
        drawn: dict[Entry, NDArray[np.uint8]],
        **times: Any,
    ) -> None:
        super().__init__(window, **times)
        self.entries, self.chosen, self.first_row = list(entries), 0, 0
        self._loading, self._drawn, self._buttons = loading, drawn, Buttons()
        self._drawing: tuple[Entry, Candidate] | None = None

    def work(self) -> bool:
        """Draws a step of the first frame that is lacking, those in view before others."""
        engine = self._loading.ready()
        if engine is None:
            return False
        if self._drawing is None:
            self._drawing = self._begin(engine)
        if self._drawing is None:
            return False
        entry, candidate = self._drawing
        candidate.advance(engine)
        if candidate.done and candidate.image is not None:
            self._drawn[entry], self._drawing = candidate.image, None
        return True

    def take(self, event: pygame.event.Event) -> None:
        """Arrows and wheel move, a click or Enter goes in."""
        if event.type == pygame.KEYDOWN:
            if event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
                self._enter(self.chosen)
            elif event.key == pygame.K_ESCAPE:
                self.next = Going.AWAY
            elif event.key in (pygame.K_F2, pygame.K_b):
                self.next = Going.SKETCH
            elif event.key in _STEPS and self.entries:
                self.chosen = min(len(self.entries) - 1, max(0, self.chosen + _STEPS[event.key]))
                row = self.chosen // COLUMNS
                self._scroll_to(min(max(self.first_row, row - ROWS + 1), row))
        elif event.type == pygame.MOUSEWHEEL:
            self._scroll_to(self.first_row - event.y)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            name = self._buttons.at(event.pos)
            if name == SKETCH:
                self.next = Going.SKETCH
            elif name is not None:
                self._enter(int(name))

    def _begin(self, engine: Sketcher) -> tuple[Entry, Candidate] | None:
        shown = self.entries[self.first_row * COLUMNS :] + self.entries
        entry = next((entry for entry in shown if entry.world is not None and entry not in self._drawn), None)
        if entry is None or entry.world is None:
            return None
        return entry, Candidate(choice_of(entry.world, engine.info.checkpoint_hash))

    def _enter(self, number: int) -> None:
        if number < len(self.entries):
            self.chosen, entry = number, self.entries[number]
            self.message = entry.problem
            if entry.world is not None:
                self.next = choice_of(entry.world, self._loading.wait().info.checkpoint_hash)

    def _scroll_to(self, row: int) -> None:
        last = -(-len(self.entries) // COLUMNS) - ROWS
        self.first_row = max(0, min(row, last))

    def draw(self, surface: pygame.Surface, area: pygame.Rect, panels: Panels) -> None:
        """A grid of worlds."""
        self._buttons.clear()
        margin = panels.px(MARGIN)
        inner = area.inflate(-2 * margin, -2 * margin)
        title = panels.text("Worlds", 24)
        surface.blit(title, inner.topleft)
        count = panels.text(self._count(), 15, DIM)
        surface.blit(
            count,
            count.get_rect(
                bottomleft=(
                    inner.left + title.get_width() + panels.px(14),
                    inner.top + title.get_height() - panels.px(2),
                )
            ),
        )
        foot, top = panels.px(40), inner.top + title.get_height() + panels.px(10)
        gap, caption = panels.px(12), panels.px(52)
        width = (inner.width - gap * (COLUMNS - 1)) // COLUMNS
        height = (inner.bottom - foot - top - gap * (ROWS - 1)) // ROWS
        picture = min(width * 9 // 16, height - caption)
        for number in range(self.first_row * COLUMNS, min(len(self.entries), (self.first_row + ROWS) * COLUMNS)):
            row, column = divmod(number - self.first_row * COLUMNS, COLUMNS)
            place = pygame.Rect(inner.left + column * (width + gap), top + row * (height + gap), width, height)
            self._draw_entry(surface, place, (picture * 16 // 9, picture), panels, number)
        self._buttons.put(surface, panels, [(SKETCH, "F2  sketch")], inner.right, inner.bottom)
        words, colour = (self.message, AMBER) if self.message else (_KEYS, DIM)
        line = panels.once(("foot", words), lambda: panels.text(words[:150], 14, colour))
        surface.blit(line, line.get_rect(midleft=(inner.left, inner.bottom - panels.px(16))))

    def _draw_entry(
        self, surface: pygame.Surface, place: pygame.Rect, size: tuple[int, int], panels: Panels, number: int
    ) -> None:
        entry = self.entries[number]
        image, version = self._drawn.get(entry), -1
        if image is None and self._drawing is not None and self._drawing[0] == entry:
            image, version = self._drawing[1].image, self._drawing[1].version
        frame = pygame.Rect(place.topleft, size)
        if image is None:
            words = "cannot be opened" if entry.world is None else self.waiting() if self._loading_now() else "…"
            tile = panels.once(("hollow", words, size), lambda: hollow(panels, size, words))
        else:
            drawn = image
            tile = panels.fresh(("world", entry.path, size), version, lambda: picture_surface(drawn, size))
        surface.blit(tile, frame)
        if number == self.chosen or place.collidepoint(self.mouse):
            frame_around(surface, panels, frame, *([] if number == self.chosen else [DIM]))
        told = panels.once(("entry", entry.path, place.width), lambda: _caption(panels, entry, place.width))
        surface.blit(told, (place.left, frame.bottom + panels.px(6)))
        self._buttons.add(place, str(number))

    def _count(self) -> str:
        """Which of them are in view."""
        count, first = len(self.entries), self.first_row * COLUMNS
        if not count:
            return "none yet: make one with `genie-lite worlds save`"
        return (
            str(count) if count <= ROWS * COLUMNS else f"{first + 1} to {min(count, first + ROWS * COLUMNS)} of {count}"
        )

    def _loading_now(self) -> bool:
        return self._loading.ready() is None


def _entry(path: Path) -> Entry:
    try:
        return Entry(path, read_world(path))
    except WorldFileError as error:
        return Entry(path, None, str(error))


def _caption(panels: Panels, entry: Entry, width: int) -> pygame.Surface:
    """Its name and words."""
    if entry.world is None:
        return panels.text(shortened(entry.path.name, 34), 15, AMBER)
    name = panels.text(shortened(entry.world.name, 34), 16)
    words = entry.world.prompt or ("a picture" if entry.world.picture else "")
    line = wrapped(panels, words, 13, width, 1)[0]
    return panels.column([name, panels.text(line, 13, DIM)], 2, align=0)


_STEPS = {pygame.K_LEFT: -1, pygame.K_RIGHT: 1, pygame.K_UP: -COLUMNS, pygame.K_DOWN: COLUMNS}
