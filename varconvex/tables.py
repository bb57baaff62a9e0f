"""Results in numbers: a row for each object, and the page that a notebook shows."""

import base64
import html
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InvalidParameterError
from .geometry.certify import certify_convexity

if TYPE_CHECKING:
    from .result import Segmentation


def object_rows(result: "Segmentation", unit: str | None = None) -> list[dict[str, Any]]:
    """One row for each object; see `Segmentation.table`."""
    from .result import plain

    if unit is not None and not isinstance(unit, str):
        raise InvalidParameterError(f"unit must be a text such as 'mm'; got {unit!r:.80}. Leave it out if unknown.")
    ndim = result.labels.ndim
    size = float(np.prod(result.spacing or (1.0,)))
    rows = []
    for label in result.label_ids[1:]:
        mask = result.labels == label
        found = certify_convexity(mask)
        count = found.n_pixels
        centroid = np.argwhere(mask).mean(axis=0) if count else (None,) * ndim
        rows.append(
            {
                "label": label,
                "n_pixels": count,
                "area" if ndim == 2 else "volume": count * size,
                "unit": f"{unit}{'²' if ndim == 2 else '³'}" if unit else None,
                **{f"centroid_{k}": position for k, position in enumerate(centroid)},
                "n_components": found.n_components,
                "hull_share": count / (count + found.n_missing) if count else None,
                "convex": found.convex,
                "relative_gap": result.relative_gap,
                "integrality_gap": result.integrality_gap,
            }
        )
    return plain(rows)


def page(result: "Segmentation") -> str:
    """The picture and the numbers of a result in HTML."""
    from .plots import png_bytes, summary

    lines = [("status", result.status)]
    if result.history:
        lines += [
            ("energy", f"{result.energy:.6g}"),
            ("lower bound", f"{result.dual:.6g}"),
            ("relative gap", f"{result.relative_gap:.1e}"),
            ("integrality gap", f"{result.integrality_gap:.4g}"),
        ]
    for label in result.label_ids[1:]:
        size = f"{int((result.labels == label).sum())} pixels"
        lines.append((f"label {label}", str(result.certificates.get(label, size))))
    picture = base64.b64encode(png_bytes(summary(result))).decode()
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in lines)
    return f'<img alt="segmentation" src="data:image/png;base64,{picture}"><table>{rows}</table>'
