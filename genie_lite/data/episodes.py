"""Episodes on disk: one reset-to-end run of a world is one safetensors file, written whole or not at all.

Shapes: T frames, K instants that were also rendered at 720p. The file's header carries one JSON text under `episode`.
Reading maps the file into memory, so a clip costs only the pages it touches. A reader that keeps many episodes open
holds one file descriptor for each; opening anew is cheap.
"""

from __future__ import annotations

import json
import math
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from genie_lite.actions import ACTION_DIM, STEPS_PER_SECOND
from genie_lite.camera import FRAME_HEIGHT, FRAME_WIDTH, THUMB_HEIGHT, THUMB_WIDTH, log_depth
from genie_lite.conditions import CONDITIONS_DIM
from genie_lite.errors import DataError, OutputError
from genie_lite.files import DRAFTS, drafted

VERSION = 1
SUFFIX = ".safetensors"
SPLITS = ("train", "validation", "test")
PICTURE_HEIGHT, PICTURE_WIDTH = 720, 1280

_DTYPES = {"U8": np.uint8, "F16": np.float16, "F32": np.float32, "I64": np.int64}
_TENSORS: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "frames": ("U8", ("T", FRAME_HEIGHT, FRAME_WIDTH, 3)),
    "depth": ("F16", ("T", THUMB_HEIGHT, THUMB_WIDTH)),
    "poses": ("F32", ("T", 5)),
    "actions": ("F32", ("T", ACTION_DIM)),
    "conditions": ("F32", ("T", CONDITIONS_DIM)),
    "pictures": ("U8", ("K", PICTURE_HEIGHT, PICTURE_WIDTH, 3)),
    "picture_index": ("I64", ("K",)),
}
_MAX_HEADER = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """One run of a world, T >= 1 frames.

    frames: uint8 (T, 144, 256, 3). depth: float16 (T, 72, 128), log-depth in [0, 1] of each 2x2 block's nearest point.
    poses: float32 (T, 5), x, y, z, yaw, pitch of the eye. actions: float32 (T, 6), actions[t] is applied at frame t
    and leads to frame t + 1 (the last one leads to a frame that was not kept). conditions: float32 (T, 18).
    pictures: uint8 (K, 720, 1280, 3), frames[picture_index] rendered at 720p; picture_index: int64 (K,), growing.
    policy names who chose the actions; recipe says how the run was asked for, so that a resumed collection can compare.
    Raises DataError when shapes, types or values do not fit.
    """

    frames: NDArray[np.uint8]
    depth: NDArray[np.float16]
    poses: NDArray[np.float32]
    actions: NDArray[np.float32]
    conditions: NDArray[np.float32]
    pictures: NDArray[np.uint8]
    picture_index: NDArray[np.int64]
    world: str
    seed: int
    split: str
    policy: str
    recipe: str = ""
    fps: int = STEPS_PER_SECOND

    def __post_init__(self) -> None:
        sizes: dict[str, int] = {}
        for name, (code, shape) in _TENSORS.items():
            array = getattr(self, name)
            if not _fits(array.shape, shape, sizes) or array.dtype != _DTYPES[code]:
                raise DataError(f"episode tensor {name} is {array.dtype} {array.shape}, not {code} {shape}")
        for name in ("poses", "actions", "conditions"):
            if not np.isfinite(getattr(self, name)).all():
                raise DataError(f"episode tensor {name} has values that are not finite")
        if len(self) < 1 or np.abs(self.actions).max() > 1:
            raise DataError("an episode has at least one frame, and actions within [-1, 1]")
        index = self.picture_index
        if np.any(np.diff(index) <= 0) or np.any(index < 0) or np.any(index >= len(self)):
            raise DataError("episode tensor picture_index must grow and stay below the number of frames")
        types = {"world": str, "seed": int, "policy": str, "recipe": str, "fps": int}
        if self.split not in SPLITS or any(type(getattr(self, name)) is not kind for name, kind in types.items()):
            raise DataError(f"episode metadata is wrong: {self.split!r}, {[getattr(self, name) for name in types]}")

    def __len__(self) -> int:
        """The number of frames, T."""
        return len(self.frames)


def nearest(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest point of each 2x2 block, metres: float32 (144, 256) -> (72, 128)."""
    rows = np.minimum(depth[::2], depth[1::2])
    return np.minimum(rows[:, ::2], rows[:, 1::2])


def compact_depth(nearest_points: NDArray[np.float32]) -> NDArray[np.float16]:
    """Metres as `nearest` gives them to the log-depth in [0, 1] that is kept, float16 of the same shape."""
    return log_depth(nearest_points).astype(np.float16)


def write_episode(path: Path, episode: Episode) -> None:
    """Writes the file whole or not at all; folders are made. Raises OutputError when the disk refuses."""
    tensors = {name: np.ascontiguousarray(getattr(episode, name)) for name in _TENSORS}
    names = ("world", "seed", "split", "policy", "recipe", "fps")
    header = {"version": VERSION} | {name: getattr(episode, name) for name in names}
    try:
        with drafted(path) as draft:
            save_file(tensors, draft, metadata={"episode": json.dumps(header)})
    except (OSError, SafetensorError) as error:
        raise OutputError(f"could not write {path} ({error}): free space or choose another folder") from error


def clean_drafts(folder: Path) -> None:
    """Removes what writers that were killed have left in the folder."""
    for draft in folder.glob(DRAFTS):
        draft.unlink(missing_ok=True)


def read_episode(path: Path) -> Episode:
    """The episode, its arrays views of the mapped file: what is written into them never reaches the disk.

    Raises DataError for anything but a whole episode.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as probe:
            size = int.from_bytes(probe[:8], "little")
            if not 2 <= size <= min(_MAX_HEADER, len(probe) - 8):
                raise ValueError("it is torn or not a safetensors file")
            header = json.loads(probe[8 : 8 + size])
            about = json.loads(header.pop("__metadata__")["episode"])
            if about.pop("version") != VERSION:
                raise ValueError(f"it is not of version {VERSION}")
            data = np.memmap(file, np.uint8, "c")[8 + size :]
        fields: dict[str, Any] = _views(data, header) | about
        return Episode(**fields)
    except OSError as error:
        raise DataError(f"could not read {path} ({error.strerror}): collect it first") from error
    except (DataError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        detail = f"no {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{path} is no whole episode ({detail}): delete it and collect again") from error


def list_episodes(folder: Path, split: str) -> list[Path]:
    """The files of a split, in the order of their seeds. Raises DataError for an unknown split or an empty one."""
    if split not in SPLITS:
        raise DataError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    found = sorted((folder / split).glob(f"[0-9]*{SUFFIX}"))
    if not found:
        raise DataError(f"no {split} episodes in {folder}: collect some first (genie-lite collect --split {split})")
    return found


def episode_path(folder: Path, split: str, seed: int) -> Path:
    """Where the episode of a seed lives: folder/split/0000012.safetensors."""
    return folder / split / f"{seed:07d}{SUFFIX}"


def _views(data: NDArray[np.uint8], header: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """The tensors as views of the file's data; they must fill it without gap or overlap. Raises ValueError if not."""
    if set(header) != set(_TENSORS):
        raise ValueError(f"its tensors are {', '.join(sorted(header))}")
    views, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), tuple(entry["shape"])
        start, stop = entry["data_offsets"]
        if start != end or stop - start != dtype.itemsize * math.prod(shape) or not stop <= len(data):
            raise ValueError(f"tensor {name} is torn")
        views[name] = data[start:stop].view(dtype, np.ndarray).reshape(shape)
        end = stop
    if end != len(data):
        raise ValueError("it has bytes after its end")
    return views


def _fits(shape: tuple[int, ...], wanted: tuple[int | str, ...], sizes: dict[str, int]) -> bool:
    """Whether a shape is the wanted one; letters stand for sizes that all tensors share, learnt in `sizes`."""
    if len(shape) != len(wanted):
        return False
    resolved = [sizes.setdefault(w, s) if isinstance(w, str) else w for s, w in zip(shape, wanted, strict=True)]
    return list(shape) == resolved
