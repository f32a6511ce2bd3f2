"""What every worker process does first, whatever it works on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait


def set_up_worker(on_interrupt: signal.Handlers = signal.SIG_DFL) -> None:
    """One core for Mesa's software renderer, since the workers are the parallelism. A worker ends when the process that
    started it does, whatever ended that; on_interrupt: what it does at Ctrl-C (it ends at once if left out)."""
    os.environ.setdefault("LP_NUM_THREADS", "0")
    signal.signal(signal.SIGINT, on_interrupt)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
