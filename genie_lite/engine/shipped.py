"""Finds what comes with genie_lite: weights, and worlds to enter."""

from __future__ import annotations

import hashlib
from pathlib import Path

import genie_lite
from genie_lite.errors import CheckpointError, UsageError

DEFAULT_WORLD = "landscape"
PARTS = ("autoencoder", "motion", "dynamics", "first_frame", "weather")
JUDGE = "judge.safetensors"
"""As in model.checkpoint and model.judge, which take a second to import."""


def find_checkpoint(world: str | None, checkpoint: Path | None) -> Path:
    """The folder of the weights: `checkpoint` if given, else those shipped for `world` (landscape if None).

    Raises CheckpointError if it is missing, UsageError where both are given.
    """
    if checkpoint is not None:
        if world is not None:
            raise UsageError("give either --world or --checkpoint, not both")
        if not checkpoint.exists():
            raise CheckpointError(f"no checkpoint at {checkpoint}; give a folder that training wrote")
        return checkpoint
    name = world or DEFAULT_WORLD
    found = next((path for path in (root / name for root in checkpoint_roots()) if path.is_dir()), None)
    if found is None:
        raise CheckpointError(
            f"no weights for the world {name!r}; train some (genie-lite train all) or use --checkpoint"
        )
    return found


def find_judge(checkpoint: Path, world: str) -> Path:
    """The folder of the judge: the checkpoint's own, else the one shipped for the world. Raises CheckpointError."""
    shipped = (root / world for root in checkpoint_roots())
    found = next((path for path in (checkpoint, *shipped) if (path / JUDGE).is_file()), None)
    if found is None:
        raise CheckpointError(
            f"no judge in {checkpoint}, and none is shipped for the world {world!r}; train one beside the weights "
            f"(genie-lite train judge --data data/{world} --out {checkpoint})"
        )
    return found


def checkpoint_roots() -> tuple[Path, ...]:
    """Where shipped weights lie: inside an installed package, or beside it in a clone of the repository."""
    return _beside("checkpoints")


def weights_hash(folder: Path) -> str:
    """The hash of a checkpoint's weights, as the model that is loaded from it has it. Raises CheckpointError."""
    digest = hashlib.sha256()
    try:
        for name in PARTS:
            digest.update((folder / f"{name}.safetensors").read_bytes())
    except OSError as error:
        raise CheckpointError(
            f"no weights can be read in {folder} ({error.strerror}); train some or copy them anew"
        ) from error
    return digest.hexdigest()[:16]


def world_folders() -> tuple[Path, ...]:
    """Where shipped worlds lie, likewise."""
    return _beside("assets/worlds")


def _beside(name: str) -> tuple[Path, ...]:
    package = Path(genie_lite.__file__).parent
    return package / name, package.parent / name
