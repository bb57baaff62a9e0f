"""Strokes in a real napari: from the end of a stroke to the answer in its layer; and screenshots of the plugin.

``python -m benchmarks.viewer --screenshots notebooks/site/_static`` needs ``pip install ".[napari]"`` and a display:
without one ``xvfb-run -a -s "-screen 0 1400x1000x24" python -m benchmarks.viewer`` makes it. The strokes are those of
`benchmarks.browser`: the first six load what is compiled; of the next ones it prints median and 95th percentile.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from varconvex import demo
from varconvex.napari import samples
from varconvex.scribbles import brush_stroke

from ._environment import describe
from .browser import FIRST, strokes

SIZE = (1280, 800)
"""Width and height of the window in pixels."""


def events(seconds: float = 0.0) -> None:
    """Let the viewer work for so long."""
    from qtpy import QtCore

    end = time.monotonic() + seconds
    QtCore.QCoreApplication.processEvents()
    while time.monotonic() < end:
        QtCore.QCoreApplication.processEvents()
        time.sleep(0.005)


def opened(layers: list[samples.LayerData]) -> tuple[Any, Any]:
    """A viewer with layers and the plugin."""
    import napari

    from varconvex.napari.panel import Panel

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    for data, shown, kind in layers:
        getattr(viewer, f"add_{kind}")(data, **shown)
    panel = Panel(viewer)
    viewer.window.add_dock_widget(panel, name="Segment from strokes (varconvex)")
    events(0.3)
    return viewer, panel


def shot(viewer: Any, path: Path) -> None:
    """A screenshot of the window, with all of the image, as a small JPEG."""
    viewer.reset_view()
    events(0.5)
    Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3]).save(path, quality=82, optimize=True)


def choose_shape(panel: Any, label: int, shape: str | None) -> None:
    """Choose the shape of a label, once there are strokes of it."""
    box = panel.shapes[label]
    box.setCurrentIndex(box.findData(shape))


def photograph(shape: str | None, picture: Path | None) -> None:
    """A picture of the demonstration's photograph, segmented, with outlines."""
    viewer, panel = opened(samples.dahlia())
    panel.segment()
    panel.wait()
    choose_shape(panel, 2, shape)
    panel.wait()
    panel.add_outlines()
    if picture:
        shot(viewer, picture)
    viewer.close()


def volume(picture: Path | None) -> None:
    """A picture of the sample's volume, in which two cells that touch are parted."""
    viewer, panel = opened(samples.cells())
    panel.segment()
    panel.wait(120)
    for label in (2, 3):
        choose_shape(panel, label, "convex")
    panel.wait(120)
    viewer.dims.set_current_step(0, 15)
    if picture:
        shot(viewer, picture)
    viewer.close()


def times(count: int, shape: str | None) -> list[float]:
    """Milliseconds from the end of each of so many strokes to the answer in its layer, after the first six."""
    image = demo.photograph()
    viewer, panel = opened([(image, {"name": "dahlia"}, "image")])
    layer, found = panel.new_strokes(), []
    for k, (label, line) in enumerate(strokes(len(FIRST) + count)):
        pixels = np.nonzero(brush_stroke(np.array(line, float), image.shape[:2], 7))
        begin = time.perf_counter()
        layer.data_setitem(pixels, label)
        layer.events.paint(value=[])  # what the brush says at the end of a stroke
        while panel.busy:
            events()
        if k >= len(FIRST):
            found.append(1000 * (time.perf_counter() - begin))
        if k + 1 == len(FIRST) and shape:
            choose_shape(panel, 2, shape)
            panel.wait()
    viewer.close()
    return found


def main(argv: list[str] | None = None) -> int:
    """Print a table of times; write pictures and JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strokes", type=int, default=30)
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    if options.screenshots:
        photograph("convex", options.screenshots / "napari-dahlia.jpg")
        volume(options.screenshots / "napari-cells.jpg")
    rows = {}
    for shape in (None, "convex") if options.strokes else ():
        rows[shape or "none"] = each = times(options.strokes, shape)
        median, most = np.percentile(each, [50, 95])
        print(f"shape {shape or 'none':<7} {len(each)} strokes: median {median:.0f} ms, 95 % {most:.0f} ms")
    if options.json:
        options.json.write_text(json.dumps({"environment": describe(), "milliseconds": rows}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
