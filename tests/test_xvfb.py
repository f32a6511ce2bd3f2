"""A real window on a real X server, with real keys and a real click: where Xvfb and xdotool are installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="needs Xvfb and xdotool: apt install xvfb xdotool"
)

SKETCH = """
import json
from genie_lite.engine.fake import FakeEngine
from genie_lite.play.draft import Draft
from genie_lite.play.loading import Loading
from genie_lite.play.sketch import SketchScreen
from genie_lite.play.window import Window
with Window((1280, 720)) as window:
    screen = SketchScreen(window, Loading(lambda: FakeEngine((256, 144))), Draft(), 3)
    while not all(candidate.done for candidate in screen.candidates.all):
        screen.tick()
    print("ready", flush=True)
    choice = screen.run()
    print(json.dumps([choice.prompt, choice.seed, choice.start.to_dict()]), flush=True)
"""


@pytest.fixture
def display() -> Iterator[dict[str, str]]:
    """The environment of an X server of our own."""
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x720x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        number = server.stdout.readline().strip()
        yield {**os.environ, "DISPLAY": f":{number}", "SDL_VIDEODRIVER": "x11"}
        server.terminate()


def test_a_world_is_typed_and_clicked_into(display: dict[str, str]) -> None:
    def hand(*words: str) -> None:
        subprocess.run(["xdotool", *words], env=display, check=True, timeout=60)

    command = [sys.executable, "-c", SKETCH]
    with subprocess.Popen(command, env=display, stdout=subprocess.PIPE, text=True) as sketch:
        assert sketch.stdout is not None
        while (line := sketch.stdout.readline().strip()) != "ready":
            assert line, "the sketch ended before it was ready"
        hand("mousemove", "460", "200")
        hand("type", "--delay", "30", "a desert at 5 pm")
        hand("click", "1")
        prompt, seed, conditions = json.loads(sketch.stdout.readline())
    assert (prompt, seed, conditions["desert"], conditions["hour"]) == ("a desert at 5 pm", 4, 1.0, 17.0)
