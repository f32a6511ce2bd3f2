"""A ring of rows: so many are kept, the newest."""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor


class Ring:
    """rows: most x columns numbers of a dtype, infinity where none were added yet."""

    def __init__(self, most: int, columns: int, dtype: torch.dtype) -> None:
        self.rows = torch.full((most, columns), torch.inf, dtype=dtype)
        self._count = 0

    def add(self, rows: Tensor) -> None:
        """Adds rows (N columns), at most as many as are kept."""
        self.rows[(self._count + torch.arange(len(rows))) % len(self.rows)] = rows.to(self.rows)
        self._count += len(rows)

    def branch(self) -> Ring:
        """The same rows, kept apart from now on."""
        other = copy(self)
        other.rows = self.rows.clone()
        return other
