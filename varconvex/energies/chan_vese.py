"""Chan and Vese's piecewise constant regions, K of them, grey or colour.

    min over labels, means c   sum_k sum_(x labelled k) |image(x) - c_k|^2 + alpha * length of the boundaries

For given means this is `TwoPhase` (K = 2: masks from a convex problem, Chan, Esedoglu, Nikolova 2006,
doi:10.1137/040615286) or `Potts`. `refit` re-estimates the means, which never raises the energy.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from .. import checks
from ..backends import ArrayBackend, Problem
from ..errors import InvalidParameterError
from ..keywords import known_keywords
from ..options import TV, Relaxation
from ._linear import Delegate
from .potts import Potts
from .total_variation import check_sizes
from .two_phase import TwoPhase


@known_keywords
@dataclass(frozen=True)
class ChanVese(Delegate):
    """Energy of K regions of one colour each, for given colours.

    Parameters
    ----------
    image : (*spatial) or (*spatial, C) float array
        Intensities, 2-D or 3-D.
    means : (K,) or (K, C) float array, K >= 2
        The regions' colours; its number of axes says whether the image has channels.
    alpha : float
        Weight of the boundaries, in the squared unit of the image times a length. Bigger is smoother; 0 gives each
        pixel to the nearest mean.
    weight, spacing, tv, relaxation
        As in `Potts`.

    References
    ----------
    Chan, Vese, IEEE Trans. Image Process. 10, 2001, doi:10.1109/83.902291

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import ChanVese, pdhg
    >>> image = (np.hypot(*np.mgrid[-20:21, -20:21]) < 12) + np.random.default_rng(0).normal(size=(41, 41)) / 2
    >>> solution = pdhg(ChanVese(image, (0.0, 1.0), alpha=1.0))
    >>> bool(solution.labels[20, 20]), bool(solution.labels[0, 0])
    (True, False)
    """

    image: Any
    means: Any
    alpha: float
    weight: Any = field(default=None, kw_only=True)
    spacing: Any = field(default=None, kw_only=True)
    tv: TV = field(default="isotropic", kw_only=True)
    relaxation: Relaxation = field(default="zach", kw_only=True)

    def __post_init__(self) -> None:
        """Check image and means; the energy of the labels checks the rest."""
        image, means = checks.as_numeric("image", self.image), checks.as_numeric("means", self.means)
        checks.spatial("image", image, (2, 3, 4))
        split = image.ndim - means.ndim + 1
        if means.ndim not in (1, 2) or len(means) < 2 or split not in (2, 3) or image.shape[split:] != means.shape[1:]:
            raise InvalidParameterError(
                "means must be (K,) for a grey image, or (K, C) for one of shape (*spatial, C), with K >= 2; got shape "
                f"{means.shape} for an image of shape {image.shape}. Pass one colour a region."
            )
        for name, values in (("image", image), ("means", means)):
            checks.finite(name, values, "Repair them first: every pixel is data here.")
            check_sizes(name, values, most=checks.LARGEST**0.5)  # squared
        vars(self).update(image=image, means=means)
        object.__setattr__(self, "spacing", self.regions.spacing)

    @cached_property
    def costs(self) -> list[Any]:
        """Squared distance of each pixel to each mean, K times (*spatial)."""
        image = self.image.astype(np.result_type(self.image, np.float32), copy=False)
        squares = ((image - mean) ** 2 for mean in self.means.astype(image.dtype))
        return [square.sum(axis=-1) if self.means.ndim == 2 else square for square in squares]

    @cached_property
    def regions(self) -> TwoPhase | Potts:
        """The energy of the labels, up to a cost that all of them share."""
        costs, options = self.costs, {name: getattr(self, name) for name in ("weight", "spacing", "tv")}
        if len(costs) == 2:
            return TwoPhase(costs[1] - costs[0], self.alpha, **options)
        stacked = np.stack(costs) if isinstance(costs[0], np.ndarray) else costs[0].__array_namespace__().stack(costs)
        return Potts(stacked, self.alpha, relaxation=self.relaxation, **options)

    def refit(self, labels: Any) -> Self:
        """The energy with the means of labelled regions ((*spatial) int); an empty region keeps its mean."""
        index, count = checks.host(labels).ravel(), len(self.means)
        layers = checks.host(self.image).reshape(index.size, -1).T
        pixels = np.bincount(index, minlength=count)[:, None]
        sums = np.stack([np.bincount(index, weights=layer, minlength=count) for layer in layers], axis=1)
        old = checks.host(self.means).reshape(count, -1)
        return replace(self, means=np.where(pixels, sums / np.maximum(pixels, 1), old).reshape(self.means.shape))

    @cached_property
    def cost_error(self) -> float:
        """Sum over pixels of the rounding errors in the costs of a float32 image, computed in float32."""
        if self.costs[0].dtype == np.float64:
            return 0.0
        exact = replace(self, image=self.image.astype(np.float64))
        pairs = [(self.cost, exact.cost)] + [(self.costs[0], exact.costs[0])] * (len(self.means) == 2)
        return sum(float(abs(rounded - cost).sum()) for rounded, cost in pairs)

    def problem(self, backend: ArrayBackend) -> Problem:
        """That of the labels; with two of them, all pixels pay for being background."""
        problem, common = super().problem(backend), float(self.costs[0].sum(dtype=np.float64))
        problem = replace(problem, rounding_slack=problem.rounding_slack + self.cost_error / problem.cost_unit)
        return problem if len(self.means) > 2 else replace(problem, constant=common, common_cost=common)
