"""The sketch screen: words, sliders and first frames that the model draws while you type; click one to walk into it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pygame
from numpy.typing import NDArray

from genie_lite.errors import ImageError
from genie_lite.pictures import crop_box, picture_from
from genie_lite.play.candidates import COUNT, Candidate, Candidates
from genie_lite.play.choice import Dropped, Going
from genie_lite.play.clipboard import clipboard
from genie_lite.play.draft import Draft, Picture, picture_of
from genie_lite.play.line import Line
from genie_lite.play.loading import Loading
from genie_lite.play.panels import ACCENT, AMBER, DIM, Panels, glass
from genie_lite.play.screen import (
    MARGIN,
    Buttons,
    Screen,
    chip_rows,
    frame_around,
    hollow,
    padlock,
    picture_surface,
    wrapped,
)
from genie_lite.play.sliders import Sliders
from genie_lite.play.window import Window
from genie_lite.world_file import LONGEST_PROMPT

COLUMNS, ROWS = 3, 3
ENTER, ANEW, GALLERY, NO_PICTURE = "enter", "anew", "gallery", "no picture"
TYPING_TICKS = 8
"""Turns of the loop without a key after which typed words are drawn."""

_EXAMPLE = "a foggy meadow at dawn"
_KEYS = "arrows  choose     right click  keep one     Ctrl+V  paste     right click a slider  as the words say"
_PICTURE_KEYS = "words and sliders  change it     Ctrl+V or drop  another picture     right click a slider  as it was"


class SketchScreen(Screen):
    """Sketches a draft until the player enters one of its first frames, or goes elsewhere. Seed: the first frame's."""

    def __init__(
        self, window: Window, loading: Loading, draft: Draft, seed: int | None = None, message: str = "", **times: Any
    ) -> None:
        super().__init__(window, **times)
        self.draft, self.message = draft, message
        self.candidates = Candidates(draft.choice, seed)
        self.chosen = 0
        self._loading, self._line = loading, Line(draft.text, LONGEST_PROMPT)
        self._sliders, self._buttons = Sliders(), Buttons()
        self._stale: int | None = None

    def work(self) -> bool:
        """Draws a step of a first frame, once the engine is there and the typing has paused."""
        engine = self._loading.ready()
        if engine is None:
            return False
        picture = self.draft.picture
        if picture is not None and picture.look is None:
            self.draft.picture = Picture(picture.whole, picture.framed, engine.look(picture.framed))
            self._changed(0)
        if self._stale is not None and self._turns >= self._stale:
            self._stale = None
            self.candidates.draw_anew()
        return self.candidates.advance(engine, self.chosen)

    def take(self, event: pygame.event.Event) -> None:
        """Keys go to the line unless they mean something here; the mouse to sliders, buttons and pictures."""
        moved = self._sliders.take(event)
        if moved is not None:
            name, value = moved
            if value is None:
                self.draft.let_go(name)
            else:
                self.draft.move(name, value)
            self._changed(0 if event.type == pygame.MOUSEBUTTONDOWN else TYPING_TICKS // 2)
        elif event.type == pygame.KEYDOWN:
            self._key(event)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button in (1, 3):
            self._click(self._buttons.at(event.pos), event.button)

    def begin_from(self, picture: Picture | None) -> None:
        """Takes a picture for the beginning, or none; what was moved by hand for another one is given back."""
        self.draft.picture, self.draft.moved, self.chosen = picture, {}, 0
        self._changed(0)

    def _key(self, event: pygame.event.Event) -> None:
        held = getattr(event, "mod", 0) & (pygame.KMOD_CTRL | pygame.KMOD_META)
        if event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            self._enter()
        elif event.key == pygame.K_ESCAPE:
            self.next = Going.AWAY
        elif event.key == pygame.K_F5:
            self._click(ANEW, 1)
        elif event.key == pygame.K_F2:
            self.next = Going.GALLERY
        elif event.key in _STEPS:
            self.chosen = min(self._count() - 1, max(0, self.chosen + _STEPS[event.key]))
        elif held and event.key == pygame.K_l:
            self._click(f"lock {self.chosen}", 1)
        elif held and event.key == pygame.K_v:
            self._paste()
        elif self._line.key(event):
            self.draft.text, self.message = self._line.text, ""
            self._changed(TYPING_TICKS)

    def _click(self, name: str | None, button: int) -> None:
        kind, _, number = (name or "").partition(" ")
        if name == ENTER:
            self._enter()
        elif name == ANEW:
            self.candidates.reroll()
        elif name == GALLERY:
            self.next = Going.GALLERY
        elif name == NO_PICTURE:
            self.begin_from(None)
        elif kind == "lock" or (kind == "tile" and button == 3):
            candidate = self.candidates.all[int(number)]
            candidate.locked = not candidate.locked
            if not candidate.locked:
                self._changed(0)
        elif kind == "tile":
            self.chosen = int(number)
            self._enter()

    def _enter(self) -> None:
        """Walks into the chosen one, as it is asked for now unless it was kept."""
        candidate = self.candidates.all[self.chosen]
        self.next = candidate.choice if candidate.locked else self.draft.choice(candidate.choice.seed)

    def _paste(self) -> None:
        found = clipboard()
        try:
            if isinstance(found, bytes):
                self.begin_from(picture_of(picture_from(found, "what was pasted")))
            elif isinstance(found, str):
                self._line.paste(found)
                self.draft.text = self._line.text
                self._changed(0)
            elif found is not None:
                self.next = Dropped(found)
            else:
                self.message = "there is nothing to paste; drop a picture onto the window, or use --image"
        except ImageError as error:
            self.message = str(error)

    def _changed(self, ticks: int) -> None:
        self._stale = self._turns + ticks

    def _count(self) -> int:
        """With a picture there is but one first frame."""
        return COUNT if self.draft.picture is None else 1

    def draw(self, surface: pygame.Surface, area: pygame.Rect, panels: Panels) -> None:
        """Words above, pictures at the left, sliders at the right, buttons below."""
        self._buttons.clear()
        margin, gap = panels.px(MARGIN), panels.px(12)
        inner = area.inflate(-2 * margin, -2 * margin)
        aside = panels.px(344)
        foot = panels.px(36)
        top = self._draw_line(surface, inner, panels)
        body = pygame.Rect(inner.left, top + gap, inner.width, inner.bottom - foot - gap - top - gap)
        right = pygame.Rect(body.right - aside, body.top, aside, body.height)
        left = pygame.Rect(body.left, body.top, body.width - aside - gap, body.height)
        if self.draft.picture is None:
            self._draw_tiles(surface, left, panels)
        else:
            self._draw_picture(surface, left, panels, self.draft.picture)
        self._sliders.draw(surface, right, panels, self.draft.conditions(), self.draft.moved, self.mouse)
        self._draw_foot(surface, inner, panels)

    def _draw_line(self, surface: pygame.Surface, inner: pygame.Rect, panels: Panels) -> int:
        """The words and what was understood of them; returns where that ends."""
        height = panels.px(44)
        field = pygame.Rect(inner.left, inner.top, inner.width, height)
        surface.blit(panels.once(("field", field.size), lambda: glass(field.size, panels.px(10))), field)
        label = panels.text("A world of", 17, ACCENT)
        surface.blit(label, label.get_rect(midleft=(field.left + panels.px(16), field.centery)))
        left = field.left + panels.px(30) + label.get_width()
        shown = (
            panels.text(self._line.shown(88), 19)
            if self._line.text
            else panels.text(f"|{_EXAMPLE}", 19, (120, 128, 138))
        )
        surface.blit(shown, shown.get_rect(midleft=(left, field.centery)))
        chips = self._chips()
        key = ("told", chips, inner.width)
        told = panels.once(key, lambda: chip_rows(panels, chips, inner.width, 2, align=0)) if chips else None
        if told is None:
            return field.bottom + panels.px(42)
        surface.blit(told, (inner.left, field.bottom + panels.px(10)))
        return field.bottom + panels.px(10) + max(panels.px(32), told.get_height())

    def _chips(self) -> tuple[tuple[str, str], ...]:
        reading = self.draft.reading()
        if reading is None:
            words = self._line.text.strip()
            return ((words[-48:], ""),) if words else ()
        told = [
            (chip.phrase, ", ".join(f"{name} {value:.2g}" for name, value in chip.sets.items()))
            for chip in reading.understood
        ]
        return (*told, *((word, "") for word in reading.not_understood))

    def _draw_tiles(self, surface: pygame.Surface, area: pygame.Rect, panels: Panels) -> None:
        gap = panels.px(10)
        width = min((area.width - gap * (COLUMNS - 1)) // COLUMNS, (area.height - gap * (ROWS - 1)) // ROWS * 16 // 9)
        height = width * 9 // 16
        for number, candidate in enumerate(self.candidates.all):
            place = pygame.Rect(
                area.left + number % COLUMNS * (width + gap),
                area.top + number // COLUMNS * (height + gap),
                width,
                height,
            )
            self._draw_tile(surface, place, panels, number, candidate)
        place = pygame.Rect(area.left + 2 * (width + gap), area.top + 2 * (height + gap), width, height)
        label = "F5  others" if self._loading_done() else f"the model is waking up{self.waiting()}"
        surface.blit(panels.once(("anew", label, place.size), lambda: hollow(panels, place.size, label)), place)
        if place.collidepoint(self.mouse):
            frame_around(surface, panels, place, DIM)
        self._buttons.add(place, ANEW)

    def _draw_tile(
        self, surface: pygame.Surface, place: pygame.Rect, panels: Panels, number: int, candidate: Candidate
    ) -> None:
        seed = str(candidate.choice.seed)
        if candidate.image is None:
            tile = panels.once(("hollow", place.size), lambda: hollow(panels, place.size, "…"))
        else:
            image = candidate.image
            key = ("tile", number, place.size)
            tile = panels.fresh(key, (id(self), candidate.version), lambda: picture_surface(image, place.size))
        surface.blit(tile, place)
        if number == self.chosen:
            frame_around(surface, panels, place)
        elif place.collidepoint(self.mouse):
            frame_around(surface, panels, place, DIM)
        self._buttons.add(place, f"tile {number}")
        label = panels.once(("seed", seed), lambda: panels.box(panels.text(f"seed {seed}", 13), (8, 3)))
        if number == self.chosen or place.collidepoint(self.mouse):
            surface.blit(label, label.get_rect(bottomleft=(place.left + panels.px(6), place.bottom - panels.px(6))))
        if candidate.image is not None and (candidate.locked or place.collidepoint(self.mouse)):
            lock = panels.once(("lock", candidate.locked), lambda: padlock(panels, candidate.locked))
            at = lock.get_rect(topright=(place.right - panels.px(6), place.top + panels.px(6)))
            surface.blit(lock, at)
            self._buttons.add(at, f"lock {number}")

    def _draw_picture(self, surface: pygame.Surface, area: pygame.Rect, panels: Panels, picture: Picture) -> None:
        """The picture as the model draws it, large; beside it the whole picture with what is taken of it."""
        gap, candidate = panels.px(14), self.candidates.all[0]
        height = min(round(area.height * 0.72), round(area.width * 0.72) * 9 // 16)
        place = pygame.Rect(area.left, area.top, height * 16 // 9, height)
        drawn = candidate.image if candidate.choice.start is picture.framed else None
        image = picture.framed if drawn is None else drawn
        tile = panels.fresh(("start", place.size), id(image), lambda: picture_surface(image, place.size))
        surface.blit(tile, place)
        frame_around(surface, panels, place)
        self._buttons.add(place, "tile 0")
        whole, left = picture.whole, place.right + gap
        scale = min((area.right - left) / whole.shape[1], height / whole.shape[0])
        size = max(1, round(whole.shape[1] * scale)), max(1, round(whole.shape[0] * scale))
        small = panels.fresh(("whole", size), id(whole), lambda: _with_crop(panels, whole, size))
        surface.blit(small, (left, area.top))
        surface.blit(_told(panels, picture, area.width, self.waiting()), (area.left, place.bottom + gap))

    def _draw_foot(self, surface: pygame.Surface, inner: pygame.Rect, panels: Panels) -> None:
        labels = [(ANEW, "F5  others")] if self.draft.picture is None else [(NO_PICTURE, "without the picture")]
        labels += [(GALLERY, "F2  gallery"), (ENTER, "Enter  walk in")]
        self._buttons.put(surface, panels, labels, inner.right, inner.bottom)
        keys = _KEYS if self.draft.picture is None else _PICTURE_KEYS
        words, colour = (self.message, AMBER) if self.message else (keys, DIM)
        foot = panels.once(("foot", words), lambda: panels.text(words[:150], 14, colour))
        surface.blit(foot, foot.get_rect(midleft=(inner.left, inner.bottom - panels.px(16))))

    def _loading_done(self) -> bool:
        return any(candidate.image is not None for candidate in self.candidates.all)


_STEPS = {pygame.K_LEFT: -1, pygame.K_RIGHT: 1, pygame.K_UP: -COLUMNS, pygame.K_DOWN: COLUMNS}


def _with_crop(panels: Panels, whole: NDArray[np.uint8], size: tuple[int, int]) -> pygame.Surface:
    """The whole picture in a small size; what is not taken of it is dark."""
    bright = picture_surface(whole, size)
    dark = bright.copy()
    dark.fill((70, 70, 70), special_flags=pygame.BLEND_RGB_MULT)
    left, top, right, bottom = crop_box(*size)
    taken = pygame.Rect(round(left), round(top), round(right - left), round(bottom - top))
    dark.blit(bright, taken, taken)
    pygame.draw.rect(dark, ACCENT, taken, panels.px(1))
    return dark


def _told(panels: Panels, picture: Picture, width: int, dots: str) -> pygame.Surface:
    """What the model makes of the picture."""
    look = picture.look
    if look is None:
        return panels.text(f"the model is waking up{dots}", 15, DIM)

    def draw() -> pygame.Surface:
        head = "Unlike anything the model knows" if look.strange else "The model knows such views"
        facts = (
            f"strangeness {look.strangeness:.1f}; what it knows stays below {look.limit:.1f}",
            f"drawn again at {look.psnr:.1f} dB",
        )
        fate = "You can walk in, and it will turn into something else." if look.strange else ""
        lines = [panels.text(head, 17, AMBER if look.strange else ACCENT)]
        for words in (*facts, fate, "Large: how the model draws it. Sliders: what it reads off it, to be changed."):
            lines += [panels.text(line, 14, DIM) for line in wrapped(panels, words, 14, width, 3) if line]
        return panels.column(lines, 6, align=0)

    return panels.once(("look", look, width), draw)
