"""Finds the weights that come with genie_lite."""

from __future__ import annotations

from pathlib import Path

import genie_lite
from genie_lite.errors import CheckpointError, UsageError

DEFAULT_WORLD = "landscape"


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


def checkpoint_roots() -> tuple[Path, ...]:
    """Where shipped weights lie: inside an installed package, or beside it in a clone of the repository."""
    package = Path(genie_lite.__file__).parent
    return package / "checkpoints", package.parent / "checkpoints"
