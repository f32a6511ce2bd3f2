"""The worlds that episodes are collected from and coherence is measured against: Gymnasium environments by name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genie_lite.errors import RenderError, UsageError

if TYPE_CHECKING:
    import gymnasium

WORLDS = {
    "landscape": ("genie_lite.worlds.landscape", "LandscapeWorld"),
    "counting": ("genie_lite.worlds.counting", "CountingWorld"),
}
"""Name -> (module, class). Modules are imported only when asked for: playing needs neither gymnasium nor OpenGL."""


def make_world(name: str) -> gymnasium.Env[Any, Any]:
    """A fresh world: uint8 (144, 256, 3) frames for float32 (6,) actions; `info`: pose, depth, conditions, blocked.

    Raises UsageError for an unknown name and RenderError where the packages for simulating (or OpenGL) are missing.
    """
    if name not in WORLDS:
        raise UsageError(f"unknown world {name!r}; choose one of {', '.join(WORLDS)}")
    module, attribute = WORLDS[name]
    try:
        world_class = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name not in ("gymnasium", "moderngl"):
            raise
        raise RenderError(f'the {name} world needs {error.name}: pip install "genie_lite[train]"') from error
    return world_class()
