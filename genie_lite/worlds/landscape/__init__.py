"""The landscape world: endless low-poly country drawn with OpenGL."""

from genie_lite.worlds.landscape.env import LandscapeWorld

__all__ = ["LandscapeWorld"]
