"""Worlds for tests: two from words, one from a picture, and any that there could be."""

import io
from pathlib import Path

from hypothesis import strategies as st
from PIL import Image

from genie_lite.conditions import BIOMES, STRENGTHS, Conditions
from genie_lite.engine.shipped import world_folders
from genie_lite.prompt.parser import parse
from genie_lite.world_file import SUFFIX, WorldFile, write_world

SHIPPED = sorted(path for folder in world_folders() for path in folder.glob(f"*{SUFFIX}"))
LAKE = WorldFile("Lake", 7, "an autumn lake at dusk", parse("an autumn lake at dusk").conditions)
SAND = WorldFile("Sand", 8, "a desert at 2 am", parse("a desert at 2 am").conditions)


def picture_file(kind: str = "PNG", size: tuple[int, int] = (96, 64)) -> bytes:
    file = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(file, kind)
    return file.getvalue()


PHOTO = WorldFile("Photo", 9, "thick fog", picture=picture_file())


def written(folder: Path, world: WorldFile) -> Path:
    path = folder / f"{world.name.lower()}{SUFFIX}"
    write_world(path, world)
    return path


shares = st.floats(0, 1)


@st.composite
def any_conditions(draw: st.DrawFn) -> Conditions:
    strengths = {name: draw(shares) for name in STRENGTHS}
    hour = draw(st.floats(0, 24, exclude_max=True))
    weights = draw(st.lists(st.floats(0.01, 1), min_size=len(BIOMES), max_size=len(BIOMES)))
    return Conditions(meadow=1.0, hour=hour, **strengths).with_biomes(weights)
