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
