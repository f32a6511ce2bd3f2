"""Buffers on the graphics card: room for the vertices of many tiles, and lists of what a frame draws of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Pool:
    """Vertices of one kind, filled from front to end, and emptied as a whole: who filled it can make it all again."""

    def __init__(self, context: Any, size: int) -> None:
        self.buffer = context.buffer(reserve=size, dynamic=True)
        self._used = 0

    def add(self, vertices: NDArray[np.void]) -> int | None:
        """Stores vertices (V,) and returns the number of the first; None where there is no room: `clear` it."""
        first, end = self._used, self._used + len(vertices)
        if end * vertices.itemsize > self.buffer.size:
            return None
        self.buffer.write(vertices, offset=first * vertices.itemsize)
        self._used = end
        return first

    def clear(self) -> None:
        """Forgets all that was added."""
        self._used = 0


class Drawing:
    """Draws those vertices of a buffer that it is told, in one call."""

    def __init__(self, context: Any, program: Any, buffer: Any, layout: str, names: str) -> None:
        self._order = context.buffer(reserve=1 << 16, dynamic=True)
        content = [(buffer, layout, *(f"in_{name}" for name in names.split()))]
        self._array = context.vertex_array(program, content, index_buffer=self._order)

    def render(self, order: NDArray[np.uint32]) -> None:
        """Draws triangles given as vertex numbers, of any shape."""
        if order.size:
            if order.nbytes > self._order.size:
                self._order.orphan(2 * order.nbytes)
            self._order.write(order)
            self._array.render(vertices=order.size)
