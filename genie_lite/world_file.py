"""A world as a small file: what it is like or the picture it begins from, its seed, and the words it was made of.

JSON in UTF-8 that holds nothing but data. It may have come from anywhere, so nothing in it is believed unchecked.
"""

from __future__ import annotations

import base64
import io
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genie_lite.checks import entries, only, printable, refuse
from genie_lite.conditions import Conditions
from genie_lite.errors import OutputError, UsageError, WorldFileError
from genie_lite.files import drafted

FORMAT, VERSION = "genie_lite world", 1
SUFFIX = ".world.json"

LARGEST_FILE, LARGEST_PICTURE = 4 << 20, 2 << 20
"""Bytes, the picture's before base64."""

LARGEST_SEED = 2**63 - 1
LONGEST_NAME, LONGEST_PROMPT = 80, 1000
SMALLEST_SIDE, LARGEST_SIDE = 64, 2048
"""Pixels a side of a start picture."""


@dataclass(frozen=True)
class WorldFile:
    """A world that can be entered again: it begins from conditions or from a picture, never from both.

    prompt: the words it was made of; with a picture they change it in the first seconds. picture: a PNG or JPEG file.
    checkpoint: the hash of the weights it was made with, None where it is meant for any.
    Raises UsageError, which says what is wrong, for a value of another type or out of range.
    """

    name: str
    seed: int
    prompt: str | None = None
    conditions: Conditions | None = None
    picture: bytes | None = None
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        _check_text("name", self.name, LONGEST_NAME)
        if self.prompt is not None:
            _check_text("prompt", self.prompt, LONGEST_PROMPT)
        if type(self.seed) is not int or not 0 <= self.seed <= LARGEST_SEED:
            raise UsageError(f"the seed {str(self.seed)[:40]} is no whole number from 0 to {LARGEST_SEED}")
        if (self.conditions is None) == (self.picture is None):
            raise UsageError("a world begins either from conditions or from a picture")
        if self.picture is not None:
            _pixels(self.picture)
        if self.checkpoint is not None and not re.fullmatch("[0-9a-f]{16}", str(self.checkpoint)):
            raise UsageError(f"the checkpoint {str(self.checkpoint)[:40]!r} is no hash of weights")

    def start(self) -> Conditions | NDArray[np.uint8]:
        """What an engine begins from: conditions, or pixels, uint8 RGB (H, W, 3)."""
        if self.conditions is not None:
            return self.conditions
        assert self.picture is not None
        return _pixels(self.picture)


def read_world(path: Path) -> WorldFile:
    """Reads a world. Raises WorldFileError, one line that says what to do next, for whatever else the file holds."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        advice = "`genie-lite worlds list` shows which there are"
        raise WorldFileError(f"no world can be read at {path} ({error.strerror}); {advice}") from error
    try:
        return _decoded(data)
    except (ValueError, RecursionError, UsageError) as error:
        said = printable(str(error)[:200])
        advice = "get it again from where it came, or make one with `genie-lite worlds save`"
        raise WorldFileError(f"{path} is no world that can be opened ({said}); {advice}") from error


def write_world(path: Path, world: WorldFile) -> None:
    """Writes a new file, whole or not at all, and the folder around it.

    Raises UsageError for a name that does not end in SUFFIX, OutputError where it exists or cannot be written.
    """
    if not path.name.endswith(SUFFIX):
        raise UsageError(f"{path} does not end in {SUFFIX}; call it {path.name.split('.')[0]}{SUFFIX}")
    if path.exists():
        raise OutputError(f"{path} exists already; give another file")
    try:
        with drafted(path) as draft:
            draft.write_text(_encoded(world), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); free some space or give another file") from error


def _encoded(world: WorldFile) -> str:
    values = {
        "format": FORMAT,
        "version": VERSION,
        "name": world.name,
        "prompt": world.prompt,
        "seed": world.seed,
        "checkpoint": world.checkpoint,
        "conditions": None if world.conditions is None else world.conditions.to_dict(),
        "picture": None if world.picture is None else base64.b64encode(world.picture).decode("ascii"),
    }
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _decoded(data: bytes) -> WorldFile:
    """Raises ValueError, RecursionError or UsageError."""
    if len(data) > LARGEST_FILE:
        raise ValueError(f"it is larger than {LARGEST_FILE >> 20} MB")
    values = json.loads(data.decode("utf-8"), parse_constant=refuse, object_pairs_hook=_entries)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError("it does not say that it is a genie_lite world")
    version = values.get("version")
    if type(version) is not int or version != VERSION:
        raise ValueError(f"it is of version {str(version)[:20]}, and this genie_lite reads {VERSION}")
    names = entries(WorldFile)
    only(values, {"format", "version"} | names)
    read = {name: values[name] for name in names}
    return WorldFile(**read | {"conditions": _conditions(values["conditions"]), "picture": _bytes(values["picture"])})


def _entries(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, unless it says something twice."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("it says the same thing twice")
    return values


def _conditions(values: Any) -> Conditions | None:
    if values is None:
        return None
    if not isinstance(values, dict):
        raise ValueError("conditions are numbers by name")
    only(values, entries(Conditions))
    for name, value in values.items():
        if type(value) not in (int, float) or not 0 <= value < 24:
            raise ValueError(f"{name} {str(value)[:40]!r} is no number in its range")
    return Conditions.from_dict(values)


def _bytes(value: Any) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("its picture is no text in base64")
    return base64.b64decode(value, validate=True)


def _check_text(what: str, value: Any, longest: int) -> None:
    if not isinstance(value, str) or not value.isprintable() or not value.strip() or len(value) > longest:
        raise UsageError(f"the {what} is no line of 1 to {longest} printable characters: {str(value)[:40]!r}")


def _pixels(picture: bytes) -> NDArray[np.uint8]:
    """uint8 RGB (H, W, 3). The size is checked before anything is unpacked. Raises UsageError."""
    if len(picture) > LARGEST_PICTURE:
        raise UsageError(f"its picture has more than {LARGEST_PICTURE >> 20} MB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG")) as image:
                if min(image.size) < SMALLEST_SIDE or max(image.size) > LARGEST_SIDE:
                    raise ValueError(f"it has {image.width}x{image.height} pixels")
                return np.array(image.convert("RGB"))
    # Pillow's readers raise whatever they trip over in a damaged file.
    except Exception as error:
        wanted = f"it takes a PNG or JPEG of {SMALLEST_SIDE} to {LARGEST_SIDE} pixels a side"
        raise UsageError(f"its picture cannot be used ({str(error)[:80]}); {wanted}") from error
