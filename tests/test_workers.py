"""Worker processes end with the process that started them."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from genie_lite.data.workers import set_up_worker


def work():
    print("working", flush=True)
    time.sleep(3600)


if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=set_up_worker) as pool:
        pool.submit(work).result()
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None and parent.stdout.readline() == "working\n"
    parent.kill()
    # The worker holds the other end of the pipe for as long as it lives.
    parent.communicate(timeout=60)
