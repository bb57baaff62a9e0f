"""The picture at the top of the README: ``python notebooks/site/first_picture.py``.

A photograph of scikit-learn's, the demo's strokes on it, and what the demo finds: with and without the convex shape, all
parts kept, the convex set by projection (``components="all", unify="sequential"``).
"""

from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation

from varconvex import demo, plots

PATH = Path(__file__).resolve().parent / "_static" / "first_picture.jpg"
YELLOW, BLUE, WHITE = (255, 230, 0), (40, 120, 255), (255, 255, 255)


def main() -> None:
    """Segment, and write the three panels side by side."""
    image, result = demo.photograph(), demo.run()
    drawn = image.copy()
    for label, colour in zip(result.label_ids, (BLUE, YELLOW), strict=True):
        stroke = result.seeds == label
        drawn[binary_dilation(stroke, iterations=5)] = 0
        drawn[binary_dilation(stroke, iterations=3)] = colour
    found = np.where(result.mask[..., None], image, image // 2 + 32).astype(np.uint8)
    found = plots.outline(found, result.unconstrained == 2, WHITE, 2)
    found = plots.outline(found, result.mask, YELLOW, 3)
    panels = [
        ("Photograph", image),
        ("Strokes: yellow object, blue background", drawn),
        ("Convex object; white: without a shape", found),
    ]
    plots.sheet(panels).convert("RGB").save(PATH, quality=85, optimize=True)
    print(f"{PATH.name}: {PATH.stat().st_size / 1000:.0f} kB, {result.certificate}")


if __name__ == "__main__":
    main()
