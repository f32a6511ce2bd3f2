"""What the clipboard holds, as far as pygame tells: text, a picture, or the path of one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlparse

import pygame

from genie_lite.pictures import FORMATS

_PICTURES = ("image/png", "image/jpeg", "image/webp", "image/bmp")
_TEXTS = ("text/plain;charset=utf-8", "UTF8_STRING", "text/plain")


def clipboard() -> bytes | Path | str | None:
    """A picture file's bytes, the path of a file that is there, or text; None if there is nothing of use.

    pygame offers pictures on X11 and Windows, and text everywhere.
    """
    # pygame's clipboard raises whatever the platform's does.
    with suppress(Exception):
        if not pygame.scrap.get_init():
            pygame.scrap.init()
        kinds = set(pygame.scrap.get_types())
        for kind in _PICTURES:
            if kind in kinds and (data := pygame.scrap.get(kind)):
                return data
        for kind in _TEXTS:
            if kind in kinds and (data := pygame.scrap.get(kind)):
                return _path_or_text(data.decode("utf-8", "replace").rstrip("\0"))
    return None


def _path_or_text(text: str) -> Path | str:
    line = text.strip()
    path = Path(unquote(urlparse(line).path) if line.startswith("file:") else line)
    with suppress(OSError, ValueError):
        if "\n" not in line and path.suffix[1:].upper() in (*FORMATS, "JPG", "JSON") and path.is_file():
            return path
    return text
