"""Words in the window: a line to type an event into while the world waits, and chips that tell what was understood."""

from __future__ import annotations

import pygame

from genie_lite.actions import STEPS_PER_SECOND
from genie_lite.errors import PromptError
from genie_lite.play.line import Line
from genie_lite.play.panels import ACCENT, AMBER, DIM, Panels
from genie_lite.play.screen import chip_rows
from genie_lite.prompt.parser import Reading, parse
from genie_lite.session.manager import SessionManager

CHIP_TICKS = 6 * STEPS_PER_SECOND
MOST_CHIPS = 8

EXAMPLES = "not understood; try: let it snow, night falls, a village ahead"
_KEYS = "Enter  let it happen     Esc  close"
_INPUT = (pygame.KEYDOWN, pygame.MOUSEMOTION, pygame.MOUSEBUTTONDOWN)
"""What must not reach the player's legs while typing; a key that goes up may."""


class Words:
    """The line is open or closed; the chips are those of the last reading, for some seconds."""

    def __init__(self, reading: Reading | None = None) -> None:
        self.typing = False
        self._line = Line()
        self._problem = ""
        self._chips: tuple[tuple[str, str], ...] = ()
        self._ticks = 0
        if reading is not None:
            self._show(reading)

    def begin(self) -> None:
        """Opens an empty line."""
        self.typing, self._line, self._problem = True, Line(), ""

    def take(self, event: pygame.event.Event, session: SessionManager) -> bool:
        """Takes in an event while typing, and applies the line at Enter; False if the event is not for this line."""
        if not self.typing or event.type not in _INPUT:
            return False
        if event.type == pygame.KEYDOWN:
            self._key(event, session)
        return True

    def draw(self, surface: pygame.Surface, picture: pygame.Rect, panels: Panels, chips: bool) -> None:
        """Draws the line, if it is open, and the chips, if they are wanted and still fresh; called once a tick."""
        self._ticks -= not self.typing
        if chips and self._chips and self._ticks > 0:
            panel = panels.once(("chips", self._chips, picture.width), lambda: _told(panels, picture, self._chips))
            surface.blit(panel, panel.get_rect(midtop=(picture.centerx, picture.top + panels.px(70))))
        if self.typing:
            text = self._line.shown(self._line.longest)
            line = panels.once(("line", text, self._problem), lambda: _typed(panels, text, self._problem))
            surface.blit(line, line.get_rect(center=(picture.centerx, picture.top + picture.height * 3 // 4)))

    def say(self, text: str, session: SessionManager) -> bool:
        """Lets happen what a text says; False if nothing in it is understood."""
        try:
            reading = parse(text, session.heading)
        except PromptError:
            return False
        session.change(reading.conditions, reading.everywhere)
        self._show(reading)
        return True

    def _key(self, event: pygame.event.Event, session: SessionManager) -> None:
        if event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            if not self._line.text.strip() or self.say(self._line.text, session):
                self.typing = False
            else:
                self._problem = EXAMPLES
        elif event.key == pygame.K_ESCAPE:
            self.typing = False
        elif self._line.key(event):
            self._problem = ""

    def _show(self, reading: Reading) -> None:
        told = [
            (chip.phrase, ", ".join(f"{name} {value:.2g}" for name, value in chip.sets.items()))
            for chip in reading.understood
        ]
        more = [(f"and {len(told) - MOST_CHIPS} more", " ")] if len(told) > MOST_CHIPS else []
        unknown = [(", ".join(reading.not_understood), "")] if reading.not_understood else []
        self._chips, self._ticks = (*told[:MOST_CHIPS], *more, *unknown), CHIP_TICKS


def _typed(panels: Panels, text: str, problem: str) -> pygame.Surface:
    foot = panels.text(problem, 14, AMBER) if problem else panels.text(_KEYS, 14, DIM)
    line = panels.row([panels.text("What happens?", 16, ACCENT), panels.text(text, 17)], 12)
    return panels.box(panels.column([line, foot], 8, align=0), (20, 14))


def _told(panels: Panels, picture: pygame.Rect, chips: tuple[tuple[str, str], ...]) -> pygame.Surface:
    return chip_rows(panels, chips, round(picture.width * 0.7), MOST_CHIPS)
