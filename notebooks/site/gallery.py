"""The notebooks as a gallery: every pair in the folder, with its title, its first sentence and a picture of its own."""

import base64
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

ORDER = (
    "quickstart", "draw_and_see", "nieuwenhuis_cremers", "gap", "rof", "tv_l1", "chan_vese", "active_contours",
    "potts", "mumford_shah", "convexity", "six_shapes", "own_energy", "choosing_a_solver",
)  # fmt: skip
"""In which they are best read; those not named here follow."""

_PICTURES = ("image/png", "image/jpeg")

SIDE = 480
"""Longer side of a thumbnail, in pixels: twice what it is shown at."""


def write(notebooks: Path, source: Path) -> None:
    """Copy the notebooks to `source`/notebooks, cut thumbnails, and write the page that shows them."""
    names = [path.stem for path in notebooks.glob("*.ipynb")]
    names.sort(key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    pictures = source / "_static" / "gallery"
    pictures.mkdir(parents=True)
    (source / "notebooks").mkdir()
    cards = []
    for name in names:
        shutil.copy(notebooks / f"{name}.ipynb", source / "notebooks")
        cells = json.loads((notebooks / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        image = picture(cells)
        if name == names[0]:
            image.save(pictures / "landing.png")
        image.thumbnail((SIDE, SIDE))
        image.save(pictures / f"{name}.png")
        cards.append(card(name, cells))
    contents = "\n".join(f"notebooks/{name}" for name in names)
    head = (source / "gallery.md").read_text(encoding="utf-8")
    (source / "gallery.md").write_text(
        f"{head}\n::::{{container}} gallery\n"
        + "\n".join(cards)
        + f"::::\n\n```{{toctree}}\n:hidden:\n\n{contents}\n```\n",
        encoding="utf-8",
    )


def picture(cells: list[dict[str, Any]]) -> Image.Image:
    """The picture of the cell tagged `thumbnail`, or else the first one there is."""
    shown = [(cell, output) for cell in cells for output in cell.get("outputs", [])]
    found = [
        (cell, data) for cell, output in shown for kind, data in output.get("data", {}).items() if kind in _PICTURES
    ]
    if not found:
        raise ValueError(
            "a notebook of the gallery must show a picture; found none. Execute it, and commit its outputs."
        )
    tagged = [data for cell, data in found if "thumbnail" in cell["metadata"].get("tags", [])]
    data = (tagged or [data for _, data in found])[0]
    return Image.open(io.BytesIO(base64.b64decode("".join(data)))).convert("RGB")


def card(name: str, cells: list[dict[str, Any]]) -> str:
    """Picture, title and what the model is good at, in Markdown."""
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    title = text.partition("\n")[0].lstrip("# ")
    good = re.search(r"\*\*Good at\*\*(.+?)(?:\.\s|\*\*Bad)", text, re.DOTALL | re.IGNORECASE)
    said = f"Good at {' '.join(good[1].split()).rstrip('.')}." if good else ""
    return (
        f":::{{container}} card-of-gallery\n[![](_static/gallery/{name}.png)](notebooks/{name}.ipynb)\n\n"
        f"**[{title}](notebooks/{name}.ipynb)**\n\n{said}\n:::\n"
    )
