"""Contact sheets: rows of pictures beside their truth, to be looked at while a network trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from genie_lite.model.layers import to_bytes


def save_sheet(rows: Sequence[Tensor], path: Path) -> None:
    """Writes rows of pictures (each N 3 H W in [-1, 1], the same N, H and W) as one image file."""
    grid = torch.cat([torch.cat(list(row.float().cpu()), dim=2) for row in rows], dim=1)
    pixels = to_bytes(grid).permute(1, 2, 0).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
