"""The front door: finds the subcommand, reads its flags, and turns errors into one line and an exit status.

Every subcommand is a module with a frozen dataclass `Options`, whose fields are its flags, and `main(options) -> int`.
Nothing is imported before its subcommand is asked for, so that --help is instant.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

from genie_lite import __version__
from genie_lite.errors import GenieLiteError, UsageError

COMMANDS = {
    "play": ("genie_lite.commands.play", "walk through a world that the model draws"),
    "sketch": ("genie_lite.commands.sketch", "draw how a world could begin, seed by seed"),
    "prompt": ("genie_lite.commands.prompt", "tell what a text is taken to mean"),
    "worlds list": ("genie_lite.commands.worlds", "list worlds that are files, to enter with `play`"),
    "worlds gallery": ("genie_lite.commands.gallery", "look at worlds that are files, and walk into one"),
    "worlds save": ("genie_lite.commands.save", "save a world as a file, to enter it again and to share"),
    "worlds remix": ("genie_lite.commands.remix", "change one thing of a world and keep the rest"),
    "worlds blend": ("genie_lite.commands.blend", "mix two worlds"),
    "worlds surprise": ("genie_lite.commands.surprise", "have chance make up a world"),
    "worlds view": ("genie_lite.commands.view", "walk through the simulator, in the same window"),
    "replay": ("genie_lite.commands.replay", "draw a recorded session again: watch it, walk on, check it, film it"),
    "recordings": ("genie_lite.commands.recordings", "list, show, export or delete recordings"),
    "sessions": ("genie_lite.commands.sessions", "sum up past sessions, and show how equal ones change"),
    "collect": ("genie_lite.data.collect", "record episodes from a simulator to train on"),
    "train": ("genie_lite.train.command", "train the model from nothing"),
    "bench speed": ("genie_lite.bench.speed", "measure the frame rate, stage by stage"),
    "bench simulator": ("genie_lite.bench.simulator", "measure how many frames a second the simulator makes"),
    "bench soak": ("genie_lite.bench.soak", "play for minutes, and see what grows and what slows down"),
    "bench coherence": ("genie_lite.bench.coherence", "measure how true the dream stays to unseen worlds"),
    "bench events": ("genie_lite.bench.events", "measure whether what happens in a dream comes to be seen"),
    "bench meter": ("genie_lite.bench.meter", "fit the coherence meter to weights, and measure how far to trust it"),
    "bench sheets": ("genie_lite.bench.sheets", "draw contact sheets to judge the dream by eye"),
}
"""Subcommand -> (module, summary)."""

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the subcommand and returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = _run(words)
        # Now, and not at exit, where Python would complain of a reader that is gone.
        print(end="", flush=True)
        return status
    except UsageError as error:
        return _complain(error, WRONG_USAGE)
    except GenieLiteError as error:
        return _complain(error, FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # As by `| head`: nobody reads on. What is still to be said goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        what = "the system refuses" if error.filename is None else f"cannot use {error.filename}"
        return _complain(f"{what} ({error.strerror or error}); put that right, or give another path", FAILED)


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return DONE if words else WRONG_USAGE
    if words[0] in ("-V", "--version"):
        print(f"genie-lite {__version__}")
        return DONE
    name = next((name for name in COMMANDS if words[: len(name.split())] == name.split()), None)
    if name is None:
        return _not_a_command(words)
    command = _load(name)
    options = _parse(command.Options, f"genie-lite {name}", words[len(name.split()) :])
    return DONE if options is None else command.main(options)


def _not_a_command(words: list[str]) -> int:
    """A group such as `worlds` lists its members; anything else is an error."""
    members = [name for name in COMMANDS if name.split()[0] == words[0]]
    if members and (len(words) == 1 or words[1] in ("-h", "--help")):
        print(_overview(members))
        return DONE if len(words) > 1 else WRONG_USAGE
    known = ", ".join(members or COMMANDS)
    raise UsageError(f"unknown subcommand {' '.join(words[: 2 if members else 1])!r}; known are {known}")


def _overview(names: Sequence[str] = tuple(COMMANDS)) -> str:
    lines = [f"  {name:<17}{COMMANDS[name][1]}" for name in names]
    head = "usage: genie-lite SUBCOMMAND [flags]\n\nA world you walk into that no one modelled.\n"
    return "\n".join([head, *lines, "", "genie-lite SUBCOMMAND --help tells its flags; --version the version."])


def _load(name: str) -> Any:
    """The subcommand's module. Raises GenieLiteError where a package for it is missing."""
    module = COMMANDS[name][0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("genie_lite"):
            raise GenieLiteError(f"this installation lacks `{name}` ({error.name}); install genie_lite anew") from error
        raise GenieLiteError(f'`{name}` needs {error.name}: pip install "genie_lite[bench]"') from error


def _parse(options: type, prog: str, words: list[str]) -> Any:
    """The flags as an `options`, None if only help was asked for. Raises UsageError, one line, for flags it rejects."""
    import tyro

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(options, prog=prog, args=words, config=(tyro.conf.FlagCreatePairsOff,))
    except SystemExit as stop:
        if not stop.code:
            return None
        raise UsageError(f"{_one_line(said.getvalue())} See {prog} --help") from None


def _one_line(said: str) -> str:
    """tyro's error as one line: what lies between its title and the rule above its advice, framed or in plain ASCII."""
    lines = [line.strip("│ ") for line in said.strip().splitlines()]
    rules = [number for number, line in enumerate(lines) if line[:3] in ("╭─ ", "───", "---")]
    message = lines[rules[0] + 1 : rules[1]] if len(rules) > 1 else lines
    return " ".join(" ".join(message).split()).rstrip(".") + "."


def _complain(problem: object, status: int) -> int:
    print(f"genie-lite: {' '.join(str(problem).split())}", file=sys.stderr)
    return status
