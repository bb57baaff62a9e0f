"""Strokes in a real browser, on the local page and in JupyterLab: from pen up to the answer drawn; and screenshots.

``python -m benchmarks.browser --screenshots notebooks/site/_static`` needs Chromium (``--chromium PATH``), and
``pip install ".[browser]"``. Six strokes come first, the demonstration's and one below the bloom, and load what is
compiled; of the next ones it prints medians and 95th percentiles in milliseconds. ``--json FILE`` keeps every time.
"""

import argparse
import contextlib
import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from varconvex import demo

from ._environment import describe

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LISTEN = """window.times = []; window.sent = 0;
document.addEventListener("varconvex:drawn", (e) => window.times.push(e.detail));
document.addEventListener("varconvex:sent", () => window.sent++);"""

IDLE = "document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'"
"""Whether JupyterLab's kernel is ready."""

CELL = """from varconvex import demo
from varconvex.widget import annotate
w = annotate(demo.photograph(), shape={shape!r})
w"""
PICTURES = {("jupyterlab", "none"), ("page", "convex")}
"""Of which the documentation shows screenshots."""

OBJECT, BACKGROUND = 2, 1
FIRST = [
    *((BACKGROUND, line) for line in (*demo.SCRIBBLES["background"], [(378, 205), (376, 285)])),
    *((OBJECT, line) for line in demo.SCRIBBLES["object"]),
]
"""The demonstration's strokes, on the photograph of 427 x 640 pixels, and one below the bloom."""


def strokes(count: int, seed: int = 0) -> list[tuple[int, list[tuple[float, float]]]]:
    """The demonstration's strokes, and further short ones on the bloom and around it: (label, points)."""
    rng = np.random.default_rng(seed)
    found = [(label, list(line)) for label, line in FIRST]
    while len(found) < count:
        angle = rng.uniform(0, 2 * np.pi)
        inside = bool(rng.integers(2))
        radius = rng.uniform(0, 60) if inside else rng.uniform(220, 250)
        centre = np.array([215, 300]) + radius * np.array([0.75 * np.sin(angle), np.cos(angle)])
        line = [tuple(np.clip(centre + d, 4, (422, 635))) for d in ((0, -12), (4, 0), (0, 12))]
        found.append((OBJECT if inside else BACKGROUND, line))
    return found[:count]


def wait_for(tab: Any, condition: str, seconds: float = 60.0) -> None:
    """Wait until a JavaScript expression is true; playwright's own way needs eval, which the page forbids."""
    end = time.monotonic() + seconds
    while not tab.evaluate(condition):
        if time.monotonic() > end:
            raise TimeoutError(f"{condition} should become true within {seconds:g} s; it did not.")
        tab.wait_for_timeout(20)


class Pen:
    """A pointer over the canvas of a page."""

    def __init__(self, page: Any, height: int = 427, width: int = 640):
        self.page, self.size = page, (height, width)
        self.stage = page.locator(".vc-stage").first
        page.evaluate(LISTEN)
        self.label: int | None = None

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Where a pixel of the whole image is on the page."""
        box = self.stage.bounding_box()
        scale = min(box["width"] / self.size[1], box["height"] / self.size[0])
        left = box["x"] + (box["width"] - scale * self.size[1]) / 2
        top = box["y"] + (box["height"] - scale * self.size[0]) / 2
        return left + scale * (column + 0.5), top + scale * (row + 0.5)

    def choose(self, label: int) -> None:
        """Choose a label by its chip."""
        if label != self.label:
            self.page.locator(f'.vc-chip[data-label="{label}"]').first.click()
            self.label = label

    def draw(self, label: int, line: list[tuple[float, float]], moves: int = 12, wait: bool = True) -> None:
        """Draw a polyline with `moves` moves between two points, and wait until its answer is drawn."""
        self.choose(label)
        before = self.page.evaluate("window.times.length")
        self.page.mouse.move(*self.place(*line[0]))
        self.page.mouse.down()
        for a, b in zip([line[0], *line], line, strict=False):
            if a != b:
                for t in np.linspace(0, 1, moves + 1)[1:]:
                    self.page.mouse.move(*self.place(*(np.array(a) + t * (np.array(b) - np.array(a)))))
        self.page.mouse.up()
        if wait:
            wait_for(self.page, f"window.times.length > {before}")

    def settle(self) -> None:
        """Wait until nothing is being solved."""
        self.page.wait_for_timeout(150)
        wait_for(self.page, "!document.querySelector('.vc-busy')")

    def session(self, count: int, picture: Path | None = None) -> dict[str, list[float]]:
        """Draw the demonstration's strokes, then so many: their milliseconds from pen up to "preview" and "answer"."""
        for k, (label, line) in enumerate(strokes(len(FIRST) + count)):
            first = not self.page.evaluate("window.times.length") and label == BACKGROUND
            self.draw(label, line, wait=not first)
            if not first:
                self.settle()
            if k + 1 == len(FIRST):
                self.page.evaluate("window.times = []")
                if picture:
                    self.page.mouse.move(2, 2)
                    self.page.wait_for_timeout(200)
                    shot(self.page, picture)
                    self.certainty(picture.with_stem(f"{picture.stem}-certainty"))
        first_drawn: dict[int, float] = {}
        final: dict[int, float] = {}
        for entry in self.page.evaluate(f"window.times.filter((t) => t.id > {len(FIRST)})"):
            first_drawn.setdefault(entry["id"], round(entry["ms"], 1))
            if entry["final"]:
                final[entry["id"]] = round(entry["ms"], 1)
        return {"preview": list(first_drawn.values()), "answer": list(final.values())}

    def certainty(self, picture: Path) -> None:
        """A screenshot of the canvas with the certainty in place of the labels."""
        self.page.evaluate("varconvex.setMode('certainty')")
        wait_for(self.page, "Boolean(varconvex.answer && varconvex.answer.certainty)")
        self.settle()
        shot(self.page, picture)
        self.page.evaluate("varconvex.setMode('fill')")
        self.settle()
        self.page.evaluate("window.times = []")


@contextlib.contextmanager
def browser(chromium: str) -> Iterator[Any]:
    """A headless Chromium with a new profile."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        context = play.chromium.launch_persistent_context(
            profile, executable_path=chromium, args=FLAGS, viewport={"width": 1000, "height": 820}
        )
        yield context
        context.close()


@contextlib.contextmanager
def jupyterlab(folder: Path, shape: str | None) -> Iterator[str]:
    """A JupyterLab of its own over a folder with a notebook that shows the widget; the address of that."""
    import nbformat

    cells = [nbformat.v4.new_code_cell(CELL.format(shape=shape)), nbformat.v4.new_code_cell("w.result")]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "draw.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={folder}", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    settings = folder / ".settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    environ = {
        **os.environ,
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"),
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTER_DATA_DIR": str(folder / ".data"),
    }
    with (
        open(folder / "jupyter.log", "w") as log,
        subprocess.Popen(command, env=environ, stdout=log, stderr=log) as lab,
    ):
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                    break
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/lab/tree/draw.ipynb?token={token}"
        finally:
            lab.terminate()


def run_notebook(tab: Any, address: str) -> None:
    """Open the notebook and have the widget shown."""
    tab.goto(address)
    tab.locator(".jp-Cell .cm-content").first.click(timeout=60_000)
    if tab.locator(".jp-FileBrowser").is_visible():
        tab.keyboard.press("Control+b")
    wait_for(tab, IDLE)
    tab.keyboard.press("Shift+Enter")
    tab.locator(".vc-chip").first.wait_for(timeout=120_000)
    tab.wait_for_timeout(500)


def on_page(context: Any, count: int, shape: str | None, picture: Path | None) -> dict[str, list[float]]:
    """Strokes on the local page."""
    from varconvex.session import Session
    from varconvex.widget.page import Page

    page = Page(Session(demo.photograph(), shape=shape))
    try:
        tab = context.new_page()
        troubles: list[str] = []
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tab.on("console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None)
        tab.goto(page.address)
        wait_for(tab, "Boolean(window.varconvex && window.varconvex.picture)")
        times = Pen(tab).session(count, picture)
        tab.close()
        if troubles:
            raise RuntimeError(f"the page should load without errors; got {troubles}.")
        return times
    finally:
        page.close()


def in_jupyterlab(context: Any, count: int, shape: str | None, picture: Path | None) -> dict[str, list[float]]:
    """Strokes on the widget in JupyterLab."""
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder), shape) as address:
        tab = context.new_page()
        run_notebook(tab, address)
        times = Pen(tab).session(count, picture)
        tab.close()
    return times


def shot(tab: Any, path: Path) -> None:
    """A screenshot as a small JPEG."""
    picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
    picture.save(path, quality=82, optimize=True)


def main(argv: list[str] | None = None) -> int:
    """Print a table of times; write pictures and JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    parser.add_argument("--chromium", default=found, help="the browser's program (default: %(default)s)")
    parser.add_argument("--strokes", type=int, default=30)
    parser.add_argument("--shape", action="append", choices=["none", "convex"], help="default: both")
    parser.add_argument("--only", choices=["page", "jupyterlab"])
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    if options.chromium is None:
        parser.error("needs Chromium or Chrome; none was found. Name one with --chromium.")
    rows: dict[str, dict[str, list[float]]] = {}
    with browser(options.chromium) as context:
        for name, run in (("page", on_page), ("jupyterlab", in_jupyterlab)):
            for shape in options.shape or ["none", "convex"]:
                if options.only in (None, name):
                    shown = options.screenshots and (name, shape) in PICTURES
                    picture = options.screenshots / f"{name}-{shape}.jpg" if shown else None
                    times = run(context, options.strokes, None if shape == "none" else shape, picture)
                    rows[f"{name}, shape {shape}"] = times
                    for what, each in ((what, each) for what, each in times.items() if each):
                        median, most = np.percentile(each, [50, 95])
                        print(
                            f"{name:<11} shape {shape:<7} {len(each)} strokes, {what} drawn after: "
                            f"median {median:.0f} ms, 95 % {most:.0f} ms"
                        )
    if options.json:
        options.json.write_text(json.dumps({"environment": describe(), "milliseconds": rows}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
