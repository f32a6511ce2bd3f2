"""A line of text that is being typed."""

from __future__ import annotations

import pygame


class Line:
    """Takes in keys and pasted text. `text` is what stands there."""

    def __init__(self, text: str = "", longest: int = 72) -> None:
        self.text, self.longest = text[:longest], longest

    def key(self, event: pygame.event.Event) -> bool:
        """Takes in a KEYDOWN; True if the text changed. Backspace with Ctrl takes a word."""
        before, typed = self.text, getattr(event, "unicode", "")
        held = getattr(event, "mod", 0) & (pygame.KMOD_CTRL | pygame.KMOD_META)
        if event.key == pygame.K_BACKSPACE:
            self.text = before.rstrip().rpartition(" ")[0] if held else before[:-1]
        elif typed.isprintable() and not held:
            self.paste(typed)
        return self.text != before

    def paste(self, text: str) -> None:
        """Adds text at the end, as far as there is room; line breaks become spaces."""
        clean = "".join(c for c in " ".join(text.split("\n")) if c.isprintable())
        self.text = (self.text + clean)[: self.longest]

    def shown(self, room: int) -> str:
        """The end of it, with a cursor, in so many characters."""
        return self.text[-room:] + "|" if len(self.text) <= room else "…" + self.text[1 - room :] + "|"
