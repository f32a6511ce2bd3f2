"""The window: a 16:9 picture inside whatever size it has, presented without a GPU in a few milliseconds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pygame
from numpy.typing import NDArray

from genie_lite.errors import DisplayError, OutputError

SIZE = (1280, 720)
SMOOTH_PIXELS = 1280 * 720
"""Up to so many pixels enlarging is smooth (2 ms); above, it takes the nearest pixel to stay fast."""


class Window:
    """Opens the display. Raises DisplayError where there is none. Close it, or use it as a context manager."""

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        self._windowed_size, self._fullscreen = size, False
        self._laid_out: tuple[int, int] | None = None
        self._staging = pygame.Surface((0, 0))
        try:
            pygame.display.init()
            pygame.font.init()
            pygame.joystick.init()
            _prefer_shared_memory()
            pygame.display.set_caption("genie_lite")
            pygame.display.set_mode(size, pygame.RESIZABLE)
        except pygame.error as error:
            raise DisplayError(f"no window can be opened ({error}); use --off-screen for a video instead") from error

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def surface(self) -> pygame.Surface:
        """What is drawn on; it changes when the window is resized."""
        return pygame.display.get_surface()

    @property
    def picture(self) -> pygame.Rect:
        """The largest 16:9 rectangle in the middle of the window."""
        width, height = self.surface.get_size()
        fitted = (width, round(width * 9 / 16)) if width * 9 <= height * 16 else (round(height * 16 / 9), height)
        return pygame.Rect((width - fitted[0]) // 2, (height - fitted[1]) // 2, *fitted)

    def show(self, image: NDArray[np.uint8]) -> None:
        """Draws an image, uint8 (H, W, 3), over the whole picture. `flip` makes it visible."""
        surface, picture = self.surface, self.picture
        if self._laid_out != surface.get_size():
            surface.fill((0, 0, 0))
            self._laid_out = surface.get_size()
        size = (image.shape[1], image.shape[0])
        source = pygame.image.frombuffer(np.ascontiguousarray(image).data, size, "RGB")
        if size == picture.size:
            surface.blit(source, picture)
            return
        if self._staging.get_size() != size:
            self._staging = pygame.Surface(size)
        self._staging.blit(source, (0, 0))
        smooth = picture.width * picture.height <= SMOOTH_PIXELS
        enlarge = pygame.transform.smoothscale if smooth else pygame.transform.scale
        enlarge(self._staging, picture.size, surface.subsurface(picture))

    def flip(self) -> None:
        """Makes what was drawn visible."""
        pygame.display.flip()

    def toggle_fullscreen(self) -> None:
        """Between a window and the whole desktop."""
        if not self._fullscreen:
            self._windowed_size = self.surface.get_size()
        self._fullscreen = not self._fullscreen
        if self._fullscreen:
            pygame.display.set_mode(pygame.display.get_desktop_sizes()[0], pygame.FULLSCREEN)
        else:
            pygame.display.set_mode(self._windowed_size, pygame.RESIZABLE)
        self._laid_out = None

    def grab_mouse(self, grabbed: bool) -> None:
        """Hides the pointer and keeps it in the window, or gives it back."""
        pygame.event.set_grab(grabbed)
        pygame.mouse.set_visible(not grabbed)

    def close(self) -> None:
        """Gives mouse and display back."""
        pygame.quit()


def _prefer_shared_memory() -> None:
    """On X11, has SDL present through shared memory rather than OpenGL.

    Without a GPU that is several times as fast, and a simulator's OpenGL context in this process is left alone.
    """
    if pygame.display.get_driver() == "x11":
        os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")


def save_png(image: NDArray[np.uint8], path: Path) -> None:
    """Writes a picture, uint8 (H, W, 3). Raises OutputError where that fails."""
    try:
        pygame.image.save(
            pygame.image.frombuffer(np.ascontiguousarray(image).data, image.shape[1::-1], "RGB"), str(path)
        )
    except (pygame.error, OSError) as error:
        raise OutputError(
            f"cannot write {path} ({error}); free some space or give another folder with --out"
        ) from error
