"""Words in the window: a line to type an event into while the world waits, and chips that tell what was understood."""

from __future__ import annotations

import pygame

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.errors import PromptError
from genie_lite.play.panels import ACCENT, AMBER, DIM, Panels
from genie_lite.prompt.parser import Reading, parse
from genie_lite.session.manager import SessionManager

CHIP_TICKS = 6 * STEPS_PER_SECOND
MOST_CHIPS = 8
LONGEST_CHIP = 48
LONGEST_TEXT = 72
"""Characters that fit the line."""

EXAMPLES = "not understood; try: let it snow, night falls, a village ahead"
_KEYS = "Enter  let it happen     Esc  close"
_INPUT = (pygame.KEYDOWN, pygame.MOUSEMOTION, pygame.MOUSEBUTTONDOWN)
"""What must not reach the player's legs while typing; a key that goes up may."""


class Words:
    """The line is open or closed; the chips are those of the last reading, for some seconds."""

    def __init__(self, reading: Reading | None = None) -> None:
        self.typing = False
        self.text = ""
        self._problem = ""
        self._chips: tuple[tuple[str, str], ...] = ()
        self._ticks = 0
        if reading is not None:
            self._show(reading)

    def begin(self) -> None:
        """Opens an empty line."""
        self.typing, self.text, self._problem = True, "", ""

    def take(self, event: pygame.event.Event, session: SessionManager) -> bool:
        """Takes in an event while typing, and applies the line at Enter; False if the event is not for this line."""
        if not self.typing or event.type not in _INPUT:
            return False
        if event.type == pygame.KEYDOWN:
            self._key(event.key, getattr(event, "unicode", ""), session)
        return True

    def draw(self, surface: pygame.Surface, picture: pygame.Rect, panels: Panels, chips: bool) -> None:
        """Draws the line, if it is open, and the chips, if they are wanted and still fresh; called once a tick."""
        self._ticks -= not self.typing
        if chips and self._chips and self._ticks > 0:
            panel = panels.once(("chips", self._chips, picture.width), lambda: _chips(panels, picture, self._chips))
            surface.blit(panel, panel.get_rect(midtop=(picture.centerx, picture.top + panels.px(70))))
        if self.typing:
            line = panels.once(("line", self.text, self._problem), lambda: _line(panels, self.text, self._problem))
            surface.blit(line, line.get_rect(center=(picture.centerx, picture.top + picture.height * 3 // 4)))

    def _key(self, key: int, typed: str, session: SessionManager) -> None:
        if key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            self._apply(session)
        elif key == pygame.K_ESCAPE:
            self.typing = False
        elif key == pygame.K_BACKSPACE:
            self.text, self._problem = self.text[:-1], ""
        elif typed.isprintable():
            self.text, self._problem = (self.text + typed)[:LONGEST_TEXT], ""

    def _apply(self, session: SessionManager) -> None:
        if self.text.strip():
            try:
                reading = parse(self.text, session.heading)
            except PromptError:
                self._problem = EXAMPLES
                return
            session.change(reading.conditions)
            self._show(reading)
        self.typing = False

    def _show(self, reading: Reading) -> None:
        told = [
            (chip.phrase, ", ".join(f"{name} {value:.2g}" for name, value in chip.sets.items()))
            for chip in reading.understood
        ]
        more = [(f"and {len(told) - MOST_CHIPS} more", " ")] if len(told) > MOST_CHIPS else []
        unknown = [(", ".join(reading.not_understood), "")] if reading.not_understood else []
        self._chips, self._ticks = (*told[:MOST_CHIPS], *more, *unknown), CHIP_TICKS


def _line(panels: Panels, text: str, problem: str) -> pygame.Surface:
    foot = panels.text(problem, 14, AMBER) if problem else panels.text(_KEYS, 14, DIM)
    line = panels.row([panels.text("What happens?", 16, ACCENT), panels.text(f"{text}|", 17)], 12)
    return panels.box(panels.column([line, foot], 8, align=0), (20, 14))


def _chips(panels: Panels, picture: pygame.Rect, chips: tuple[tuple[str, str], ...]) -> pygame.Surface:
    """Rows of chips, each a phrase and what it set; what set nothing has a question mark."""
    rows: list[list[pygame.Surface]] = [[]]
    for phrase, sets in chips:
        words = phrase if len(phrase) <= LONGEST_CHIP else phrase[: LONGEST_CHIP - 1] + "…"
        parts = (
            [panels.text(words, 15), panels.text(sets, 14, ACCENT)] if sets else [panels.text(f"{words} ?", 15, AMBER)]
        )
        chip = panels.box(panels.row(parts, 8), (12, 6))
        if rows[-1] and sum(part.get_width() for part in rows[-1]) + chip.get_width() > picture.width * 0.7:
            rows.append([])
        rows[-1].append(chip)
    return panels.column([panels.row(row, 6) for row in rows], 6)
