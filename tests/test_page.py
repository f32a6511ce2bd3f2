"""A session's report for people: coherence.png and report.html."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genie_lite.commands.visit import VisitOptions, visit
from genie_lite.conditions import biome
from genie_lite.engine.fake import FakeEngine
from genie_lite.recording.page import draw_coherence, report_page


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("session")
    options = VisitOptions(off_screen=True, seconds=5.0, seed=4, out=out)
    assert visit(options, biome("snow", fog=0.4), lambda: FakeEngine((256, 144))) == 0
    return out


def told(session: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((session / "report.json").read_text())
    return report


class Links(HTMLParser):
    """Everything that a page would fetch or lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset", "data")]


def test_the_page_is_whole_by_itself(session: Path) -> None:
    page = (session / "report.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert len(links.found) == 1 and links.found[0].startswith("data:image/png;base64,")
    assert not links.tags & {"script", "link", "iframe", "object", "embed"}
    assert not re.search(r"https?:|//|url\(|@import", re.sub(r"base64,[^\"]*", "", page).replace("<!DOCTYPE", ""))


def test_the_page_tells_what_the_report_does(session: Path) -> None:
    page, report = (session / "report.html").read_text(encoding="utf-8"), told(session)
    for words in ("not calibrated", "fake", "seed 4", "snow", f"{report['coherence']['mean']:.2f}", "best second"):
        assert words in page


def test_words_from_elsewhere_cannot_become_markup(session: Path) -> None:
    report = told(session) | {"error": "<script>alert(1)</script>"}
    report["engine"]["name"] = report["engine"]["checkpoint"] = '"><img src=x>'
    page = report_page(report, b"")
    assert "<script>" not in page and "<img src=x>" not in page and "&lt;script&gt;" in page


def test_the_picture_shows_the_curve(session: Path) -> None:
    coherence = told(session)["coherence"]
    assert (session / "coherence.png").read_bytes() == draw_coherence(coherence)

    def ink(**changes: Any) -> int:
        picture = np.asarray(Image.open(io.BytesIO(draw_coherence(coherence | changes))))
        return int((picture.std(2) > 20).sum())

    flat = {"curve": [1.0] * 20, "half_life_s": None, "alarms": []}
    assert ink(**flat | {"alarms": [{"at_s": 4.0, "kind": "noise"}]}) > ink(**flat) > ink(**flat | {"curve": []}) == 0


@pytest.mark.parametrize("curve", [[], [0.5], [0.5] * 4000])
def test_any_length_can_be_drawn(session: Path, curve: list[float]) -> None:
    report = told(session)
    second = 0 if curve else None
    changes = {"curve": curve, "mean": 0.5 if curve else None, "best_second": second, "worst_second": second}
    report["coherence"] |= changes
    page = report_page(report, draw_coherence(report["coherence"]))
    assert ("Too short" in page) == (not curve)
