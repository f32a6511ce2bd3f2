"""What all tests share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Networks as small as those in tests are faster on one thread, and do not wait for each other when all is busy."""
    torch.set_num_threads(1)
