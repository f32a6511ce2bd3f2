"""Runs a subcommand in a process of its own, and fails if it loads anything heavy."""

import subprocess
import sys

_SCRIPT = """
import sys
from genie_lite.cli import main
main(sys.argv[1:])
heavy = {"torch", "pygame", "av"} & sys.modules.keys()
sys.exit(f"loaded {heavy}" if heavy else 0)
"""


def run_lightly(*words: str) -> str:
    """What the subcommand printed, which must have got by without torch, pygame and av."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
