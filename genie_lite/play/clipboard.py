"""What the clipboard holds: a picture, the path of a file, or text. pygame offers text alone, Pillow the pictures."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlparse

import pygame
from PIL import Image, ImageGrab

from genie_lite.pictures import FORMATS

_TEXTS = ("text/plain;charset=utf-8", "UTF8_STRING", "text/plain")


def clipboard() -> bytes | Path | str | None:
    """A picture file's bytes, the path of a file that is there, or text; None if there is nothing of use.

    On Linux a picture needs xclip or wl-paste.
    """
    # Both libraries raise whatever the platform does.
    with suppress(Exception):
        held = ImageGrab.grabclipboard()
        if isinstance(held, Image.Image):
            file = io.BytesIO()
            held.save(file, "PNG", compress_level=1)
            return file.getvalue()
        if held:
            return Path(held[0])
    with suppress(Exception):
        if not pygame.scrap.get_init():
            pygame.scrap.init()
        kinds = set(pygame.scrap.get_types())
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
