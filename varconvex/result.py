"""`Segmentation`, the result of `segment` and `project`: labels, their energy, and bounds on it.

integrality_gap = E(labels) - dual bound >= E(labels) - min E
"""

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .geometry.certify import Certificate
from .geometry.promises import ShapeCertificate
from .shapes.base import FittedShape
from .views import Views

if TYPE_CHECKING:
    from .margins import Margins

_NUMBERS = ("energy", "unconstrained_energy", "primal", "dual", "gap", "relative_gap", "integrality_gap")

_FEW = 8
"""Objects up to which each has a line of its own in `repr`."""


def label_type(ids: Sequence[int], outside: bool) -> np.dtype:
    """The smallest integer type of label ids (at least 0), signed if there are pixels outside, which have -1."""
    kinds = "bhiq" if outside else "BHIQ"
    return next(np.dtype(kind) for kind in kinds if max(ids) <= np.iinfo(kind).max)


@dataclass(frozen=True, repr=False, eq=False)
class Segmentation(Views):
    """A segmented image. ``np.asarray(segmentation)`` is its label image.

    Comparisons are those of the label image: ``segmentation == 2`` is a bool array, as with any array, so that a
    comparison that was meant pixel by pixel is never a single False by mistake. The hash is that of the object.

    A predictor that minimises no energy (a network by itself, a given map) leaves energies and bounds NaN and the
    history empty.

    Attributes
    ----------
    labels : (*spatial) integer array
        Label ids of the scribbles; -1 outside. The type is the smallest that holds the ids: uint8 up to 255, then
        uint16, uint32; int8, int16, int32 if there are pixels outside. Convert it before arithmetic with labels.
    label_ids : tuple of int
        All K ids; the first is the background, the others ascend.
    probability : (*spatial) or (K, *spatial) float32 array
        The relaxed minimiser u, before any shape: of the object, or of each of K > 2 labels.
    unconstrained : (*spatial) integer array
        Label image of the energy alone, before any shape or choice of components.
    costs : (K, *spatial) float32 array
        Cost of each label at each pixel, in nats; of label images from elsewhere (`convexify`) that of the background
        and of all objects together: (2, *spatial).
    energy : float
        E(labels), in nats.
    unconstrained_energy : float
        E(unconstrained), in nats.
    primal, dual : float
        E(u), and a lower bound of the energy of every segmentation.
    relative_gap : float
        (primal - dual) as a share of the energy's size.
    history : tuple of (iteration, seconds, primal, dual)
        One entry a gap evaluation.
    converged : bool
        Whether the gap met the tolerance.
    status : {"converged", "max_iter", "time_limit", "stopped", "no energy"}
        Why the solver stopped.
    seeds : (*spatial) integer array
        The scribbles by label id, 0 where there are none, -1 outside.
    certificates, shapes : dict of int to Certificate or ShapeCertificate, of int to FittedShape
        By label, of each object that has a shape: the exact statement about the shape of its mask, and the implicit set
        {x : G(x) <= 0}. ``shapes[2](points)`` is G, ``shapes[2].rasterize((h, w))`` a mask at any resolution.
    seconds : dict of str to float
        Time by stage.
    objective : tuple of float
        With ``unify="joint"``, the objective J in nats at the start and after each step, which never rises; last, J of
        `labels`. With outlines the last may be above or below the one before: the steps are taken on a grid of at most
        320 pixels a side, and refining and fitting on the full one is not judged by J. Else empty, also for a map that
        has nothing to learn. `costs`, energies and bounds are those of the last models that were accepted.
    image : (*spatial, C) float32 array or None
        The image in [0, 1], for pictures.
    margins : dict of int to Margins
        With ``certainty=True``, by label of each object: the price in nats per pixel at which the energy alone would
        lose, or win, each pixel. Else empty.
    spacing : tuple of float or None
        Size of a pixel along each axis as it was passed; None if none was, which is 1.
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
    certificates: Mapping[int, Certificate | ShapeCertificate] = field(default_factory=dict)
    shapes: Mapping[int, FittedShape] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    objective: tuple[float, ...] = ()
    image: np.ndarray | None = None
    margins: Mapping[int, "Margins"] = field(default_factory=dict)
    spacing: tuple[float, ...] | None = None

    @property
    def certificate(self) -> Certificate | ShapeCertificate | None:
        """The certificate of the one object that has a shape; None if no object or several have one."""
        return next(iter(self.certificates.values())) if len(self.certificates) == 1 else None

    @property
    def shape(self) -> FittedShape | None:
        """The fitted shape of the one object that has one; None if no object or several have one."""
        return next(iter(self.shapes.values())) if len(self.shapes) == 1 else None

    @property
    def mask(self) -> np.ndarray:
        """The objects: (*spatial) bool, True at every pixel that is neither background nor outside."""
        return (self.labels != self.label_ids[0]) & (self.labels >= 0)

    @property
    def gap(self) -> float:
        """Primal - dual, in nats."""
        return self.primal - self.dual

    @property
    def integrality_gap(self) -> float:
        """E(labels) - dual bound, in nats: at most so much is lost by rounding, shape and left-out parts."""
        return self.energy - self.dual

    @property
    def price(self) -> float:
        """Deprecated name of `integrality_gap`."""
        warnings.warn("Segmentation.price is now called integrality_gap", DeprecationWarning, stacklevel=2)
        return self.integrality_gap

    def to_dict(self) -> dict[str, Any]:
        """The numbers without the arrays, ready for JSON; numbers that are not finite are None.

        With ``certainty=True`` also the `area_interval` of each object, and `next_stroke`.
        """
        certificate = None
        if self.certificate is not None:
            certificate = {**vars(self.certificate), "filled_pixels": self.shape.n_filled if self.shape else 0}
        certain = {}
        if self.margins:
            sizes = {label: self.area_interval(label=label) for label in self.margins}
            certain = {"area_intervals": sizes, "next_stroke": self.next_stroke()}
        return plain(
            {
                "labels": self._label_counts(),
                **{name: getattr(self, name) for name in _NUMBERS},
                "objective": self.objective,
                "iterations": self.history[-1][0] if self.history else 0,
                "converged": self.converged,
                "status": self.status,
                "certificate": certificate,
                "certificates": {label: vars(found) for label, found in self.certificates.items()},
                **certain,
                "seconds": {name: round(value, 6) for name, value in self.seconds.items()},
            }
        )

    def _label_counts(self) -> dict[int, int]:
        """Pixels of each label."""
        ids, counts = np.unique(self.labels, return_counts=True)
        return dict(zip(ids.tolist(), counts.tolist(), strict=True))

    def save(self, path: str | os.PathLike) -> None:
        """Write the whole result, shapes included, to a NumPy archive (.npz) without pickles.

        The file appears whole or not at all. Shapes of other distributions have no form there and are refused: pickle
        the result, or save ``dataclasses.replace(result, shapes={})``.

        Raises
        ------
        FileFormatError
            If the file cannot be written.
        UnsupportedTypeError
            If a shape is of a class that is not one of varconvex's.

        Examples
        --------
        >>> result.save("dahlia.npz")  # doctest: +SKIP
        >>> Segmentation.load("dahlia.npz").energy == result.energy  # doctest: +SKIP
        True
        """
        from .archive import save

        save(path, self)

    @staticmethod
    def load(path: str | os.PathLike) -> "Segmentation":
        """Read a result that `save` wrote; nothing in the file is executed.

        Raises
        ------
        FileFormatError
            If the file is missing, truncated, damaged, of another kind, or of a later format.
        """
        from .archive import load

        return load(path)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The label image."""
        if copy is None:  # which NumPy 1 knows as asarray only
            return np.asarray(self.labels, dtype=dtype)
        return np.array(self.labels, dtype=dtype, copy=copy)

    def __eq__(self, other: object) -> np.ndarray:  # type: ignore[override]
        """Comparison of the label image with `other`, pixel by pixel: bool array."""
        return np.asarray(self) == np.asarray(other)

    def __ne__(self, other: object) -> np.ndarray:  # type: ignore[override]
        """Comparison of the label image with `other`, pixel by pixel: bool array."""
        return np.asarray(self) != np.asarray(other)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        shape = "x".join(str(n) for n in self.labels.shape)
        found = self.certificates.items()
        proven = "".join(f", {f'label {k} ' * (len(found) > 1)}{certificate}" for k, certificate in found)
        if len(found) > _FEW:
            proven = f", {sum(bool(certificate) for _, certificate in found)} of {len(found)} objects certified"
        numbers = ""
        if self.history:
            numbers = (
                f"energy {self.energy:.6g}, relative gap {self.relative_gap:.1e}, "
                f"integrality gap {self.integrality_gap:.4g}, "
            )
        return f"<Segmentation {shape}, {len(self.label_ids)} labels, {numbers}{self.status}{proven}>"


def plain(value: Any) -> Any:
    """A value in JSON's types: NumPy scalars as Python's, tuples as lists, numbers that are not finite as None."""
    if isinstance(value, Mapping):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, tuple | list):
        return [plain(entry) for entry in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
