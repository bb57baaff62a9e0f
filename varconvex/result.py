"""The one result type: labels, what they cost, and what is certain about them.

price = E(labels) - dual bound >= E(labels) - min E
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .geometry.certify import Certificate
from .shapes.base import FittedShape

_NUMBERS = ("energy", "unconstrained_energy", "primal", "dual", "gap", "relative_gap", "price")


@dataclass(frozen=True, repr=False)
class Segmentation:
    """A segmented image. ``np.asarray(segmentation)`` is its label image.

    A predictor that minimises no energy (a network by itself, a map from elsewhere) leaves energies and bounds NaN and
    the history empty: nothing is certain about them.

    Attributes
    ----------
    labels : (*spatial) int array
        Label ids as the scribbles had them; -1 outside.
    label_ids : tuple of int
        All K ids, ascending; the first is the background.
    probability : (*spatial) or (K, *spatial) float32 array
        The relaxed minimiser u, before any shape: of the object, or of each of K > 2 labels.
    unconstrained : (*spatial) int array
        Label image of the energy alone, before any shape or choice of components.
    costs : (K, *spatial) float32 array
        What each label costs at each pixel, in nats.
    energy : float
        E(labels), in nats.
    unconstrained_energy : float
        E(unconstrained), in nats.
    primal, dual : float
        E(u), and a lower bound of the energy of every segmentation.
    relative_gap : float
        (primal - dual) as a share of the energy's size.
    history : tuple of (iteration, seconds, primal, dual)
        One entry a look at the gap.
    converged : bool
        Whether the gap met the tolerance.
    status : {"converged", "max_iter", "time_limit", "stopped", "no energy"}
        Why the solver stopped.
    certificate : Certificate or None
        Exact statement about the object's convexity; None where not exactly one object has a shape.
    shape : FittedShape or None
        The implicit set {x : G(x) <= 0}: ``shape(points)`` is G, ``shape.rasterize((h, w))`` its mask at any
        resolution; None where not exactly one object has a shape.
    certificates, shapes : mapping of int to Certificate, to FittedShape
        The same by label, of every object that has a shape.
    seconds : mapping of str to float
        Time by stage.
    objective : tuple of float
        With ``unify="joint"``, the objective at the start and after each block's step, in nats: it never rises. Else
        empty. `costs`, energies and bounds are those of the last models that were accepted.
    image : (*spatial, C) float32 array or None
        The image in [0, 1], for pictures.
    seeds : (*spatial) int array
        The scribbles by label id, 0 where there are none.
    """

    labels: np.ndarray
    label_ids: tuple[int, ...]
    probability: np.ndarray
    unconstrained: np.ndarray
    costs: np.ndarray
    energy: float
    unconstrained_energy: float
    primal: float
    dual: float
    relative_gap: float
    history: tuple[tuple[int, float, float, float], ...]
    converged: bool
    status: str
    seeds: np.ndarray
    certificate: Certificate | None = None
    shape: FittedShape | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    image: np.ndarray | None = None
    objective: tuple[float, ...] = ()
    certificates: Mapping[int, Certificate] = field(default_factory=dict)
    shapes: Mapping[int, FittedShape] = field(default_factory=dict)

    @property
    def mask(self) -> np.ndarray:
        """The object, bool: every pixel that is neither background nor outside."""
        return (self.labels != self.label_ids[0]) & (self.labels >= 0)

    @property
    def gap(self) -> float:
        """Primal - dual, in nats."""
        return self.primal - self.dual

    @property
    def price(self) -> float:
        """E(labels) - dual bound, in nats: how much, at most, being binary (and of the shape) costs."""
        return self.energy - self.dual

    def to_dict(self) -> dict[str, Any]:
        """The numbers, without the arrays, ready for JSON."""
        certificate = None
        if self.certificate is not None:
            certificate = {**vars(self.certificate), "filled_pixels": self.shape.n_filled if self.shape else 0}
        ids, counts = np.unique(self.labels, return_counts=True)
        return {
            "labels": {int(i): int(n) for i, n in zip(ids, counts, strict=True)},
            **{name: _or_none(getattr(self, name)) for name in _NUMBERS},
            "objective": list(self.objective),
            "iterations": self.history[-1][0] if self.history else 0,
            "converged": self.converged,
            "status": self.status,
            "certificate": certificate,
            "certificates": {label: vars(found) for label, found in self.certificates.items()},
            "seconds": {name: round(value, 6) for name, value in self.seconds.items()},
        }

    def plot(self, path: Any = None) -> Any:
        """The picture of the result, a PIL image; also written to `path` where one is given."""
        from .plots import overview

        picture = overview(self)
        if path is not None:
            picture.save(path)
        return picture

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The label image."""
        return np.array(self.labels, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        shape = "x".join(str(n) for n in self.labels.shape)
        found = self.certificates.items()
        convex = "".join(f", {f'label {k} ' * (len(found) > 1)}{certificate}" for k, certificate in found)
        numbers = ""
        if self.history:
            numbers = f"energy {self.energy:.6g}, relative gap {self.relative_gap:.1e}, price {self.price:.4g}, "
        return f"<Segmentation {shape}, {len(self.label_ids)} labels, {numbers}{self.status}{convex}>"

    def _repr_png_(self) -> bytes | None:
        """The picture that a notebook shows; volumes have none."""
        if self.labels.ndim != 2:
            return None
        from .plots import png_bytes, summary

        return png_bytes(summary(self))


def _or_none(number: float) -> float | None:
    """JSON knows no NaN."""
    return None if math.isnan(number) else number
