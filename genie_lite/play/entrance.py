"""The way into worlds: from screen to screen until something is entered, and back again after a visit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genie_lite.engine.protocol import Sketcher
from genie_lite.errors import ImageError, WorldFileError
from genie_lite.pictures import read_picture
from genie_lite.play.choice import Choice, Dropped, Going, Next, choice_of
from genie_lite.play.draft import Draft, picture_of
from genie_lite.play.gallery import Entry, GalleryScreen, entries_of
from genie_lite.play.loading import Loading
from genie_lite.play.sketch import SketchScreen
from genie_lite.play.window import Window
from genie_lite.world_file import SUFFIX, read_world


class Entrance:
    """Leads from screens to worlds.

    folders: where the gallery finds worlds. draft, seed: what the sketch begins with.
    """

    def __init__(
        self,
        make_engine: Callable[[], Sketcher],
        folders: Sequence[Path] = (),
        draft: Draft | None = None,
        seed: int | None = None,
    ) -> None:
        self.loading = Loading(make_engine)
        self.draft, self.seed, self.message = draft or Draft(), seed, ""
        self._folders = folders
        self._drawn: dict[Entry, NDArray[np.uint8]] = {}

    def choose(self, window: Window, following: Next) -> Choice | None:
        """What is entered in the end, None if the player leaves."""
        while not isinstance(following, Choice):
            if following is Going.AWAY:
                return None
            if isinstance(following, Dropped):
                found = self._opened(following.path, self.draft.text)
                following, self.message = (Going.SKETCH, found) if isinstance(found, str) else (found, "")
            elif following is Going.GALLERY:
                following = GalleryScreen(window, self.loading, entries_of(self._folders), self._drawn).run()
            else:
                screen = SketchScreen(window, self.loading, self.draft, self.seed, self.message)
                following, self.message = screen.run(), ""
                self.seed = screen.candidates.all[0].choice.seed
        return following

    def dropped(self, path: Path) -> Next | str:
        """What follows on a file: a world is entered, and a picture goes to the sketch. One line for anything else."""
        return self._opened(path, "")

    def entering(self, choice: Choice) -> None:
        """The player goes into a world: should he come back, the sketch goes on with it."""
        self.seed = choice.seed
        if isinstance(choice.start, np.ndarray):
            self.draft = Draft(choice.prompt or "", picture_of(choice.start))
        else:
            self.draft = Draft.of(choice.start, choice.prompt)

    def _opened(self, path: Path, text: str) -> Next | str:
        try:
            if path.name.endswith((SUFFIX, ".json")):
                return choice_of(read_world(path), self.loading.wait().info.checkpoint_hash)
            self.draft = Draft(text, picture_of(read_picture(path)))
        except (WorldFileError, ImageError) as error:
            return str(error)
        return Going.SKETCH
