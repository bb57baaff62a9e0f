"""Pictures of results, drawn with Pillow, which reading images requires anyway.

Panels are (H, W, 3) uint8 arrays, pages PIL images: `sheet` arranges panels, `overview` shows a segmentation.
"""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation, binary_erosion

from . import checks

if TYPE_CHECKING:
    from .result import Segmentation

_INK = (34, 34, 34)
_PAPER = (255, 255, 255)
_GRID = (221, 221, 221)
_BACKGROUND = (40, 120, 255)
_UNCONSTRAINED = (255, 255, 255)
_PALETTE = np.array(
    [(255, 64, 64), (64, 208, 64), (255, 208, 32), (208, 64, 255), (32, 208, 208), (255, 144, 32)], dtype=np.uint8
)
"""Colours of the objects in the order of their labels."""


_LARGEST = 2000
"""Pixels along the longer side up to which a panel is stretched to the proportions of its pixels."""


def colours(count: int) -> list[str]:
    """Colours as #rrggbb of so many labels in ascending order, the background's first; `count` is at least 1."""
    count = checks.whole_number("count", count, least=1)
    found = [_BACKGROUND, *(_PALETTE[k % len(_PALETTE)].tolist() for k in range(count - 1))]
    return ["#" + bytes(colour).hex() for colour in found]


def photograph(image: np.ndarray) -> np.ndarray:
    """An image (H, W, C) in [0, 1] as (H, W, 3) uint8; one or two channels are shown grey, of more the first three."""
    channels = image[..., :3] if image.shape[-1] >= 3 else image[..., :1].repeat(3, axis=-1)
    return np.clip(np.rint(channels * 255), 0, 255).astype(np.uint8)


def outline(picture: np.ndarray, mask: np.ndarray, colour: Any, width: int | None = None) -> np.ndarray:
    """A copy of an RGB picture with the inner boundary of a mask drawn on it."""
    width = width or max(1, round(max(mask.shape) / 200))
    rim = mask & ~binary_erosion(mask, iterations=width, border_value=1)
    shadow = binary_dilation(rim) & ~rim
    drawn = picture.copy()
    drawn[shadow] = drawn[shadow] // 2
    drawn[rim] = colour
    return drawn


def strokes(picture: np.ndarray, seeds: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """A copy of an RGB picture with the scribbles drawn on it: blue for the background, a colour for each object."""
    drawn = picture.copy()
    for k, label in enumerate(ids):
        drawn[seeds == label] = _BACKGROUND if k == 0 else _PALETTE[(k - 1) % len(_PALETTE)]
    return drawn


def evidence(costs: np.ndarray) -> np.ndarray:
    """Costs (K, H, W) in colours: K = 2 from blue (background) over white to red (object), else the best label."""
    if len(costs) > 2:
        best = costs.argmin(axis=0)
        colours = np.concatenate([np.array([_BACKGROUND], np.uint8), _PALETTE])
        return colours[np.where(best == 0, 0, 1 + (best - 1) % len(_PALETTE))]
    ratio = costs[0] - costs[1]
    scale = float(np.percentile(np.abs(ratio), 95)) or 1.0
    t = np.clip(ratio / scale, -1, 1)[..., None]
    colour = np.where(t > 0, np.array([178, 24, 43]), np.array([33, 102, 172]))
    return np.rint(255 + (colour - 255) * np.abs(t)).astype(np.uint8)


def segmented(result: "Segmentation", labels: np.ndarray) -> np.ndarray:
    """The photograph with the outline of each object of a label image; background and outside are dimmed."""
    picture = photograph(result.image if result.image is not None else np.ones((*labels.shape, 1)))
    objects = (labels != result.label_ids[0]) & (labels >= 0)
    picture = np.where(objects[..., None], picture, picture // 2 + 32).astype(np.uint8)
    ids = result.label_ids[1:]
    for k, colour in enumerate(_PALETTE[: len(ids)]):  # all labels of one colour together: there may be thousands
        picture = outline(picture, np.isin(labels, ids[k :: len(_PALETTE)]), colour)
    return picture


def slices(result: "Segmentation") -> list[tuple[str, "Segmentation"]]:
    """A volume's slices through the middle of its objects, one along each axis, as results of images; with titles.

    Without objects they are the volume's middle slices. An image is its own only slice, without a title.
    """
    ndim = result.labels.ndim
    if ndim == 2:
        return [("", result)]
    middle = [n // 2 for n in result.labels.shape]
    if result.mask.any():
        middle = [int(index) for index in np.median(np.argwhere(result.mask), axis=0)]

    def at(values: np.ndarray | None, axis: int, before: int = 0) -> np.ndarray | None:
        return None if values is None else values.take(middle[axis], axis + before)

    found = []
    for axis in range(ndim):
        arrays: dict[str, Any] = {
            name: at(getattr(result, name), axis) for name in ("labels", "unconstrained", "seeds", "image")
        }
        arrays |= {"costs": at(result.costs, axis, 1)}
        arrays |= {"probability": at(result.probability, axis, result.probability.ndim - ndim)}
        steps = tuple(step for k, step in enumerate(result.spacing or (1.0,) * ndim) if k != axis)
        arrays |= {"margins": {k: replace(m, map=m.map.take(middle[axis], axis)) for k, m in result.margins.items()}}
        found.append((f"axis {axis}, slice {middle[axis]}: ", replace(result, spacing=steps, **arrays)))
    return found


def summary(result: "Segmentation") -> Image.Image:
    """The photograph with each object outlined, and a thin white outline of the energy's answer if it has a shape.

    Of a volume, its `slices` side by side.
    """
    pictures = []
    for title, view in slices(result):
        picture = segmented(view, view.labels)
        for label in view.shapes:
            picture = outline(picture, view.unconstrained == label, _UNCONSTRAINED, 1)
        pictures.append((title.rstrip(": "), _in_proportion(picture, view)))
    return Image.fromarray(pictures[0][1]) if len(pictures) == 1 else sheet(pictures, columns=len(pictures))


def overview(result: "Segmentation") -> Image.Image:
    """One page: scribbles, likelihood, answer of the energy alone, answer (if another), certainty, curve of the gap.

    Of a volume, there is a row for each of its `slices`.
    """
    energy = bool(result.history)
    alone = f"Total variation, energy {result.unconstrained_energy:,.0f}" if energy else "Prediction"
    kinds = sorted({found.shape for found in result.certificates.values()})
    proven = f"{', '.join(kinds).capitalize()}, certified" if all(result.certificates.values()) else "Not certified"
    if energy:
        proven += f": energy {result.energy:,.0f}, integrality gap {result.integrality_gap:,.0f}"
    another = not np.array_equal(result.labels, result.unconstrained)
    views, panels = slices(result), []
    for title, view in views:
        image = view.image if view.image is not None else np.ones((*view.labels.shape, 1))
        row = [
            (f"{title}scribbles".capitalize(), strokes(photograph(image), view.seeds, view.label_ids)),
            ("Likelihood: red object, blue background", evidence(view.costs)),
            (alone, segmented(view, view.unconstrained)),
        ]
        if result.certificates:
            row.append((proven, segmented(view, view.labels)))
        elif another:
            row.append(("Parts that hold a scribble", segmented(view, view.labels)))
        if view.certainty is not None:
            row.append(("Certainty: black none, white most", photograph(shades(view)[..., None])))
        panels += [(text, _in_proportion(panel, view)) for text, panel in row]
    columns = 3 if len(views) == 1 else len(panels) // len(views)
    if energy:
        panels.append((f"Relative gap {result.relative_gap:.1e}", gap_curve(result.history, panels[0][1].shape[:2])))
    return sheet(panels, columns=columns)


def draw_on(ax: Any, result: "Segmentation") -> Any:
    """Draw the image and the outline of each object on matplotlib axes, of a volume its first slice; return them."""
    from .geometry.tracing import contours

    title, view = slices(result)[0]
    shape = view.labels.shape
    picture = photograph(view.image if view.image is not None else np.ones((*shape, 1)))
    down, across = _proportions(view)
    ax.imshow(picture, aspect=down / across)
    for k, label in enumerate(view.label_ids[1:]):
        colour = _PALETTE[k % len(_PALETTE)] / 255
        for number, curve in enumerate(contours(view.labels == label)):
            name = f"label {label}" if number == 0 else None
            ax.plot(curve[:, 1], curve[:, 0], color=tuple(colour), label=name)
    ax.set_title(title.rstrip(": "))
    ax.set_axis_off()
    return ax


def _proportions(view: "Segmentation") -> tuple[float, float]:
    """Height and width of an image's pixels, the smaller one 1, neither above 16."""
    down, across = view.spacing or (1.0, 1.0)
    least = min(down, across)
    return min(down / least, 16.0), min(across / least, 16.0)


def _in_proportion(panel: np.ndarray, view: "Segmentation") -> np.ndarray:
    """A panel whose pixels are as high and wide as those of the image."""
    down, across = _proportions(view)
    if down == across:
        return panel
    height, width = panel.shape[:2]
    scale = min(1.0, max(_LARGEST, height, width) / max(width * across, height * down))
    size = max(1, round(width * across * scale)), max(1, round(height * down * scale))
    return np.asarray(Image.fromarray(panel).resize(size, Image.Resampling.NEAREST))


def shades(result: "Segmentation") -> np.ndarray:
    """The certainty of a result from 0 to 1, its greatest possible value: (*spatial) float32."""
    reach = max(found.reach for found in result.margins.values())
    return np.asarray(result.certainty) / np.float32(reach)


def gap_curve(history: Sequence[tuple[int, float, float, float]], shape: tuple[int, ...]) -> np.ndarray:
    """Relative gap (logarithmic) against iterations: (H, W, 3) uint8 with the aspect ratio of `shape`."""
    height, width = _fit(shape)
    sheet_ = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet_)
    iterations = np.array([h[0] for h in history], float)
    size = np.array([max(abs(h[2]), abs(h[3]), 1e-12) for h in history])
    gaps = np.maximum(np.array([h[2] - h[3] for h in history]) / size, 1e-9)
    low, high = np.floor(np.log10(gaps.min())), np.ceil(np.log10(gaps.max()))
    high = max(high, low + 1)
    left, right, top, bottom = 54, width - 14, 12, height - 40
    x = left + (right - left) * iterations / max(iterations.max(), 1)
    y = top + (bottom - top) * (high - np.log10(gaps)) / (high - low)
    for power in np.arange(low, high + 1):
        row = top + (bottom - top) * (high - power) / (high - low)
        draw.line([(left, row), (right, row)], fill=_GRID)
        draw.text((left - 6, row), f"1e{int(power)}", fill=_INK, font_size=12, anchor="rm")
    draw.text((left, bottom + 6), "0", fill=_INK, font_size=12, anchor="mt")
    draw.text((right, bottom + 6), f"{int(iterations.max())} iterations", fill=_INK, font_size=12, anchor="rt")
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    draw.line(points, fill=_BACKGROUND, width=2)
    for px, py in points:
        draw.ellipse([px - 3, py - 3, px + 3, py + 3], fill=_BACKGROUND)
    return np.asarray(sheet_)


def sheet(panels: Sequence[tuple[str, np.ndarray]], columns: int = 3) -> Image.Image:
    """Panels (title, (H, W, 3) uint8) on one page, row by row."""
    columns = min(columns, len(panels))
    sizes = [_fit(panel.shape[:2])[::-1] for _, panel in panels]
    resized = zip(panels, sizes, strict=True)
    pictures = [Image.fromarray(panel).resize(size, Image.Resampling.LANCZOS) for (_, panel), size in resized]
    cell_width = max(p.width for p in pictures)
    cell_height = max(p.height for p in pictures)
    margin, head = 12, 26
    rows = -(-len(panels) // columns)
    size = (margin + columns * (cell_width + margin), margin + rows * (cell_height + head + margin))
    page = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(page)
    for k, ((title, _), picture) in enumerate(zip(panels, pictures, strict=True)):
        x = margin + (k % columns) * (cell_width + margin)
        y = margin + (k // columns) * (cell_height + head + margin)
        short = title
        while title and draw.textlength(short, font_size=15) > cell_width:
            title = title[:-1]
            short = title + "…"
        draw.text((x, y + 4), short, fill=_INK, font_size=15)
        page.paste(picture, (x, y + head))
    return page


def few_colours(picture: Image.Image, colours: int = 64) -> Image.Image:
    """A PIL image in at most `colours` colours, those of strokes and outlines among them: small as a PNG file."""
    kept = np.array([_INK, _PAPER, _BACKGROUND, *_PALETTE], np.uint8)
    rest = picture.convert("RGB").quantize(colours - len(kept)).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*kept.ravel().tolist(), *rest])
    return picture.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)


def png_bytes(picture: Image.Image) -> bytes:
    """A PIL image as the bytes of a PNG file with 256 colours, which keeps notebooks small."""
    buffer = io.BytesIO()
    few_colours(picture, 256).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _fit(shape: tuple[int, ...], side: int = 420) -> tuple[int, int]:
    """Height and width scaled so that the longer one is `side`; no side below 8 pixels."""
    scale = side / max(shape)
    return max(8, round(shape[0] * scale)), max(8, round(shape[1] * scale))
