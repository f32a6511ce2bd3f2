"""Pictures to measure."""

import numpy as np
from numpy.typing import NDArray


def country(seed: int = 0, height: int = 144, width: int = 256) -> NDArray[np.uint8]:
    """Blocks of random colours."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return blocks.repeat(8, 0).repeat(8, 1)
