"""A session's report for people: a picture of how coherence went, and one page that needs nothing from elsewhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from PIL import Image, ImageDraw, ImageFont

SIZE = (1200, 420)
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 24, 52
"""Margins around the curve, in pixels."""

FINE = 2
"""Drawn this much larger, and scaled down, so that lines are smooth."""

PAPER, FAINT, WORDS, LINE, FIT, MARK = "#ffffff", "#dfe3e8", "#4a5560", "#1f8a70", "#8a94a0", "#d1495b"


def draw_coherence(coherence: Mapping[str, Any]) -> bytes:
    """A PNG of a meter's summary: each second's score, the fitted decay, and where the dream was disturbed."""
    picture = Image.new("RGB", (SIZE[0] * FINE, SIZE[1] * FINE), PAPER)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(15 * FINE)
    curve: Sequence[float] = coherence["curve"]
    seconds = max(2, len(curve))

    def at(second: float, score: float) -> tuple[float, float]:
        across, along = SIZE[0] - LEFT - RIGHT, SIZE[1] - TOP - BOTTOM
        return (LEFT + across * second / seconds) * FINE, (TOP + along * (1 - min(1.0, max(0.0, score)))) * FINE

    for quarter in range(5):
        score = quarter / 4
        draw.line([at(0, score), at(seconds, score)], FAINT, FINE)
        draw.text(_beside(at(0, score), -10), f"{score:g}", WORDS, font, "rm")
    for second in range(0, seconds + 1, _tick(seconds)):
        draw.text((at(second, 0)[0], at(0, 0)[1] + 10 * FINE), f"{second} s", WORDS, font, "ma")
    for alarm in coherence["alarms"]:
        draw.line([at(alarm["at_s"], 0), at(alarm["at_s"], 1)], MARK, FINE)
    if coherence["half_life_s"] is not None:
        start, half_life = coherence["decay_start"], coherence["half_life_s"]
        steps = [seconds * i / 200 for i in range(201)]
        draw.line([at(s, start * 0.5 ** (s / half_life)) for s in steps], FIT, 2 * FINE)
    if len(curve) > 1:
        draw.line([at(second + 0.5, score) for second, score in enumerate(curve)], LINE, 3 * FINE, "curve")
    stored = io.BytesIO()
    picture.resize(SIZE, Image.Resampling.LANCZOS).save(stored, "PNG")
    return stored.getvalue()


def _beside(point: tuple[float, float], right: float) -> tuple[float, float]:
    return point[0] + right * FINE, point[1]


def _tick(seconds: int) -> int:
    """Seconds from one label to the next."""
    return next((step for step in (1, 2, 5, 10, 20, 30, 60, 120, 300) if seconds / step <= 12), 600)


def report_page(report: Mapping[str, Any], picture: bytes) -> str:
    """The report as one HTML page; the picture is within it."""
    coherence, engine = report["coherence"], report["engine"]
    image = base64.b64encode(picture).decode("ascii")
    tables = [
        _table("Session", _session_facts(report)),
        _table("Coherence", _coherence_facts(coherence)),
        _table("Drawn by", [(name, _plain(value)) for name, value in engine.items()]),
        _table("Asked for", [(name, _plain(value)) for name, value in (report["conditions"] or {}).items() if value]),
        _table("Milliseconds a frame (mean)", [(n, _plain(s["mean"])) for n, s in report["stages_ms"].items()]),
    ]
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>A session of genie_lite</title><style>{STYLE}</style></head>
<body><h1>{escape(_title(report))}</h1>
<p>{escape(_verdict(coherence))}</p>
<img alt="Coherence by second" src="data:image/png;base64,{image}">
<p class="key"><b class="line">coherence</b> <b class="fit">fitted decay</b> <b class="mark">disturbed</b></p>
<div>{"".join(tables)}</div>
</body></html>
"""


STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;color:#20262d;max-width:1200px;margin:2em auto;padding:0 1em}"
    "h1{font-size:1.5em;margin:0}img{width:100%;height:auto}div{display:flex;flex-wrap:wrap;gap:1em 3em}"
    "table{border-collapse:collapse}caption{text-align:left;font-weight:600;padding:.6em 0 .2em}"
    "td{padding:.1em 1.2em .1em 0;vertical-align:top;max-width:30em;overflow-wrap:anywhere}"
    "td:first-child{color:#5a6570}"
    f".key b{{font-weight:400;margin-right:1.5em}}.line{{color:{LINE}}}.fit{{color:{FIT}}}.mark{{color:{MARK}}}"
)


def _title(report: Mapping[str, Any]) -> str:
    world = report["engine"]["checkpoint"] or report["engine"]["name"]
    return f"{report['world_time_s']:.1f} s in {world}, seed {report['seed']}"


def _verdict(coherence: Mapping[str, Any]) -> str:
    if not coherence["curve"]:
        return "Too short to tell how well the world held."
    fell = coherence["half_life_s"]
    held = "It did not fall." if fell is None else f"It halves in {fell:g} s."
    told = f"Coherence was {coherence['mean']:.2f} on average. {held}"
    return told if coherence["calibrated"] else f"{told} The meter: {coherence['note']}."


def _session_facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {
        "end_reason": "ended by", "error": "error", "frames": "frames", "fps": "frames a second",
        "fps_possible": "possible without pacing", "cap_s": "cap in seconds", "restarts": "restarts",
        "machine": "machine",
    }  # fmt: skip
    return [(told, _plain(report[name])) for name, told in names.items() if report[name] is not None]


def _coherence_facts(coherence: Mapping[str, Any]) -> list[tuple[str, str]]:
    curve = coherence["curve"]
    facts = [("calibrated", "yes" if coherence["calibrated"] else coherence["note"])]
    for name in ("best", "worst"):
        second = coherence[f"{name}_second"]
        if second is not None:
            facts.append((f"{name} second", f"{curve[second]:.2f} from {second} s on"))
    facts.append(("half-life", "-" if coherence["half_life_s"] is None else f"{coherence['half_life_s']:g} s"))
    alarms = [f"{alarm['at_s']:g} s ({alarm['kind']})" for alarm in coherence["alarms"]]
    facts.append(("disturbed at", ", ".join(alarms) or "never"))
    facts += [(f"meter's {name.replace('_', ' ')}", _plain(v)) for name, v in (coherence["quality"] or {}).items()]
    return facts


def _table(caption: str, rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table><caption>{escape(caption)}</caption>{cells}</table>"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " x ".join(_plain(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
