"""Pictures of results, drawn with Pillow, which reading images requires anyway.

Panels are (H, W, 3) uint8 arrays, pages PIL images: `sheet` arranges panels, `overview` shows a segmentation.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation, binary_erosion

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


def colours(count: int) -> list[str]:
    """Colours as #rrggbb of so many labels in ascending order, the background's first."""
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
    for k, label in enumerate(result.label_ids[1:]):
        picture = outline(picture, labels == label, _PALETTE[k % len(_PALETTE)])
    return picture


def summary(result: "Segmentation") -> Image.Image:
    """The photograph with each object outlined, and a thin white outline of the energy's answer if it has a shape."""
    picture = segmented(result, result.labels)
    for label in result.shapes:
        picture = outline(picture, result.unconstrained == label, _UNCONSTRAINED, 1)
    return Image.fromarray(picture)


def overview(result: "Segmentation") -> Image.Image:
    """One page: scribbles, likelihood, answer of the energy alone, answer (if another), certainty, curve of the gap."""
    image = result.image if result.image is not None else np.ones((*result.labels.shape, 1))
    energy = bool(result.history)
    alone = f"Total variation, energy {result.unconstrained_energy:,.0f}" if energy else "Prediction"
    panels = [
        ("Scribbles", strokes(photograph(image), result.seeds, result.label_ids)),
        ("Likelihood: red object, blue background", evidence(result.costs)),
        (alone, segmented(result, result.unconstrained)),
    ]
    if result.shapes:
        proven = "Convex, certified" if all(result.certificates.values()) else "Not certified"
        numbers = f": energy {result.energy:,.0f}, integrality gap {result.integrality_gap:,.0f}" if energy else ""
        panels.append((f"{proven}{numbers}", segmented(result, result.labels)))
    elif not np.array_equal(result.labels, result.unconstrained):
        panels.append(("Parts that hold a scribble", segmented(result, result.labels)))
    if result.certainty is not None:
        panels.append(("Certainty: black none, white most", photograph(shades(result)[..., None])))
    if energy:
        panels.append((f"Relative gap {result.relative_gap:.1e}", gap_curve(result.history, result.labels.shape)))
    return sheet(panels, columns=3)


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
