"""A page with a thumbnail of each result of a batch, the worst first. Names are text, whatever they contain."""

import hashlib
import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..io.writing import write_text
from .manifest import OWN, Record

PAGE = "index.html"

_HEAD = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>varconvex batch</title>
<meta http-equiv="Content-Security-Policy" content="script-src 'none'">
<style>
body { font: 15px/1.4 sans-serif; margin: 2em; color: #222; }
main { display: flex; flex-wrap: wrap; gap: 1em; }
figure { width: 240px; margin: 0; padding: 6px; border: 1px solid #ddd; overflow-wrap: anywhere; }
figure.failed { border-color: #c22; } figure.doubtful { border-color: #d90; }
img { max-width: 100%; } small { color: #666; display: block; white-space: pre-wrap; }
</style>
"""


def thumbnail_name(name: str) -> str:
    """The file of a result's thumbnail below the output folder."""
    return f"{OWN}/thumbnails/{hashlib.sha256(os.fsencode(name)).hexdigest()[:24]}.jpg"


def write_page(folder: Path, records: Sequence[Record], summary: str) -> Path:
    """Write the page of these records, with a line of text at its head."""
    ranked = sorted(records, key=badness, reverse=True)
    figures = "\n".join(_figure(record) for record in ranked)
    path = folder / PAGE
    write_text(path, f"{_HEAD}<h1>varconvex batch</h1>\n<p>{_text(summary)}</p>\n<main>\n{figures}\n</main></html>\n")
    return path


def badness(record: Record) -> tuple[int, float]:
    """A number that is the larger the worse a result is: failed, doubtful or good, and the gap in nats a pixel."""
    if record.get("status") != "done":
        return 2, 0.0
    result = _dict(record.get("result"))
    gap, pixels = result.get("integrality_gap"), sum(v for v in _dict(result.get("labels")).values() if _number(v))
    share = gap / pixels if _number(gap) and pixels else 0.0
    return int(bool(doubts(record))), share


def doubts(record: Record) -> list[str]:
    """Why a result may not be what was wanted."""
    result = _dict(record.get("result"))
    counts = [v for k, v in _dict(result.get("labels")).items() if k != "-1"]
    found = [str(warning) for warning in record.get("warnings") or []]
    if len(counts) < 2:
        found.append("all pixels have one label")
    if result.get("converged") is False and result.get("status") != "no energy":
        found.append(f"not converged: {result.get('status')}")
    certificates = _dict(result.get("certificates")).values()
    if any(_dict(found).get("convex", _dict(found).get("holds")) is False for found in certificates):
        found.append("not certified")
    return found


def _figure(record: Record) -> str:
    """A result as HTML."""
    name = record["name"]
    if record.get("status") != "done":
        told = f"{record.get('error')}: {record.get('message')}"
        return f'<figure class="failed"><b>{_text(name)}</b> failed<small>{_text(told)}</small></figure>'
    level, share = badness(record)
    picture, link = (f"./{quote(os.fsencode(path))}" for path in (thumbnail_name(name), name))
    notes = "\n".join([*doubts(record), f"gap {share:.2g} nats a pixel, {record.get('seconds')} s"])
    return (
        f'<figure class="{"doubtful" if level else "good"}"><a href="{link}"><img src="{picture}" alt="" '
        f'loading="lazy"></a><b>{_text(name)}</b><small>{_text(notes)}</small></figure>'
    )


def _text(value: str) -> str:
    """A text as HTML; bytes of file names that are no text are shown as escapes."""
    return html.escape(value.encode("utf-8", "backslashreplace").decode())


def _dict(value: Any) -> dict[Any, Any]:
    """The value if it is a dict, else an empty one."""
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> bool:
    """Whether a value of JSON is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
