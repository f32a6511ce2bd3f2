"""What all tests share."""

import os

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests, and the processes they start, leave the user's cache as it is."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Networks as small as those in tests are faster on one thread, and do not wait for each other when all is busy."""
    torch.set_num_threads(1)
