"""The README is what strangers type from: its commands must be ones that genie-lite takes."""

from __future__ import annotations

import importlib
import os
import re
import shlex
from pathlib import Path

import pytest
import tyro

from genie_lite.cli import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
USES = sorted(set(re.findall(r"(?:\bgenie-lite|-m genie_lite) ([a-z][^&#\n]*)", "".join(BLOCKS))))


def test_it_begins_with_the_two_commands_that_ci_runs() -> None:
    assert BLOCKS[0].count("\n") == BLOCKS[1].count("\n") == 1
    assert BLOCKS[0].startswith("python3 -m venv .venv && ") and BLOCKS[0].strip().endswith("genie-lite play")
    assert BLOCKS[1].strip().endswith("pytest")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("use", USES)
def test_its_commands_exist_with_these_flags(use: str) -> None:
    words = shlex.split(use)
    name = next(name for name in COMMANDS if words[: len(name.split())] == name.split())
    options = importlib.import_module(COMMANDS[name][0]).Options
    tyro.cli(options, args=words[len(name.split()) :], config=(tyro.conf.FlagCreatePairsOff,))


def test_the_folders_it_names_are_there() -> None:
    named = re.findall(r"`(genie_lite/[\w/.]+)`", README)
    assert named and all((ROOT / name).exists() for name in named)
