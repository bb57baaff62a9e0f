"""How long people wait for an answer to their strokes: varconvex beside what can be installed, and published figures.

Called by ``python -m benchmarks.interactive --parts tools``. The photograph of `demo` (427 x 640 pixels), strokes of
`benchmarks.browser`: the first six give the first answer, each further one another. Warm, in turns.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from varconvex import Session, demo
from varconvex.scribbles import brush_stroke

from .browser import FIRST, strokes

PUBLISHED = (
    ("Segment Anything (ViT-H)", ".15 s on an A100", ".05 s in a browser, CPU",
     "its authors' [FAQ](https://segment-anything.com)"),
    ("Segment Anything (ViT-H)", ".45 s on one GPU", ".004 s",
     "[MobileSAM's authors](https://huggingface.co/dhkim2810/MobileSAM)"),
    ("MobileSAM", ".008 s on one GPU", ".004 s",
     "[its authors](https://huggingface.co/dhkim2810/MobileSAM)"),
)  # fmt: skip
"""Tool, seconds until the first answer can be asked for, seconds a prompt, and who says so: not measured here."""


class Tool:
    """What answers to strokes."""

    def __init__(self, image: np.ndarray):
        self.image = image

    def answer(self, seeds: np.ndarray) -> None:
        """Answer to all strokes, a label image."""
        raise NotImplementedError


class Sessions(Tool):
    """`Session.result`; `previews` are the seconds until a preview was there."""

    shape: str | None = None

    def __init__(self, image: np.ndarray):
        super().__init__(image)
        self.session = Session(image, self.shape)
        self.previews: list[float] = []

    def answer(self, seeds: np.ndarray) -> None:
        """The strokes that are new, a preview, the result."""
        changed = seeds != self.session.scribbles
        for k in np.unique(seeds[changed]):
            self.session.add(changed & (seeds == k), int(k))
        begin = time.perf_counter()
        self.session.preview()
        self.previews.append(time.perf_counter() - begin)
        assert self.session.result is not None


class ConvexSessions(Sessions):
    """The same with a convex object."""

    shape = "convex"


class GrabCut(Tool):
    """cv2.grabCut: five iterations first, then one a stroke, as OpenCV's own example does."""

    def __init__(self, image: np.ndarray):
        super().__init__(np.ascontiguousarray(image[..., ::-1]))
        self.models = np.zeros((1, 65)), np.zeros((1, 65))
        self.found: np.ndarray | None = None

    def answer(self, seeds: np.ndarray) -> None:
        """The mask of all strokes, from the last one's."""
        import cv2

        first = self.found is None
        given = np.full(seeds.shape, cv2.GC_PR_BGD, np.uint8) if self.found is None else self.found
        given[seeds == 2], given[seeds == 1] = cv2.GC_FGD, cv2.GC_BGD
        self.found = cv2.grabCut(self.image, given, None, *self.models, 5 if first else 1, cv2.GC_INIT_WITH_MASK)[0]


class RandomWalker(Tool):
    """skimage's random_walker: it begins anew with each stroke."""

    def answer(self, seeds: np.ndarray) -> None:
        """The labels of all strokes."""
        from skimage.segmentation import random_walker

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The probability range is outside", UserWarning)
            mode = "cg_mg" if find_spec("pyamg") else "cg_j"
            random_walker(self.image, seeds, beta=130, mode=mode, channel_axis=-1)


TOOLS: dict[str, Callable[[np.ndarray], Tool]] = {
    "varconvex": Sessions,
    "varconvex, convex": ConvexSessions,
    "cv2.grabCut": GrabCut,
    "random_walker": RandomWalker,
}


def latencies(count: int) -> dict[str, Any]:
    """Seconds of the first answer and of `count` further ones of each tool, in turns; printed as a Markdown table."""
    image = demo.photograph()
    for name in TOOLS:  # compiled, loaded
        list(_drawn(TOOLS[name](image), image.shape[:2], 1))
    tools = {name: kind(image) for name, kind in TOOLS.items()}
    turns = {name: _drawn(tool, image.shape[:2], count) for name, tool in tools.items()}
    seconds: dict[str, list[float]] = {name: [] for name in tools}
    for _ in range(count + 1):
        for name in tools:
            seconds[name].append(next(turns[name]))
    print(f"\n{image.shape[0]} x {image.shape[1]} pixels: seconds to the first answer, and to one more stroke's\n")
    print("| tool | first answer | one more stroke, median | at most | preview |\n|---|---|---|---|---|")
    rows = {}
    for name, tool in tools.items():
        first, *more = seconds[name]
        preview = float(np.median(tool.previews[1:])) if isinstance(tool, Sessions) else None
        rows[name] = {"first": first, "more": more, "preview": preview}
        told = "" if preview is None else f"{preview:.2f}"
        print(f"| {name} | {first:.2f} | {np.median(more):.2f} | {max(more):.2f} | {told} |")
    print("\nPublished by others, not measured here:\n")
    print("| tool | once for an image | a prompt | source |\n|---|---|---|---|")
    for row in PUBLISHED:
        print(f"| {' | '.join(row)} |")
    return rows


def _drawn(tool: Tool, shape: tuple[int, ...], count: int) -> Iterator[float]:
    """Seconds of the answer to the first strokes, and of that to each further one."""
    seeds = np.zeros(shape, np.int64)
    for k, (label, line) in enumerate(strokes(len(FIRST) + count)):
        pixels = brush_stroke(np.array(line, float), shape, 7)
        seeds[pixels] = label
        if k + 1 >= len(FIRST):
            begin = time.perf_counter()
            tool.answer(seeds)
            yield time.perf_counter() - begin
