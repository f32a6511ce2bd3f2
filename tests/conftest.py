"""What all tests share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from player import Player, Recorded


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests, and the processes they start, leave the user's cache as it is."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Networks as small as those in tests are faster on one thread, and do not wait for each other when all is busy."""
    torch.set_num_threads(1)


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Player]:
    """A fake world in a window, with a minute to play."""
    player = Player(tmp_path / "out", Recorded(), cap=60.0)
    yield player
    player.window.close()


@pytest.fixture(scope="module")
def world() -> Iterator[Any]:
    """The landscape simulator; whoever asks for it is skipped where nothing can be drawn."""
    from genie_lite.errors import RenderError
    from genie_lite.worlds import make_world

    try:
        made = make_world("landscape")
    except RenderError as error:
        pytest.skip(f"no OpenGL context here: {error}")
    yield made
    made.close()
