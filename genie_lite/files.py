"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DRAFTS = ".*.tmp"
"""How drafts are named, as a glob pattern."""


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A draft to write beside the path, whose folder is made. It takes the path's place if all goes well, and is gone
    if not. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


@contextmanager
def all_or_none(*made: Path) -> Iterator[None]:
    """Takes these files, and folders that are empty by then, away again if writing them fails or is interrupted: where
    nothing may lie, and what is written goes by its own name."""
    try:
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise
