"""Total variation with an absolute data term: removes outliers, and structures by their size.

    min over u   |u - image|_1 + alpha sum_x weight(x) |grad u(x)|

Contrast has no effect: a disc of radius r stays as it is while r > 2 alpha, and vanishes while r < 2 alpha (Chan,
Esedoglu 2005, doi:10.1137/040604297). Not strictly convex: the minimiser need not be unique.
"""

from dataclasses import dataclass

from ..backends import ArrayBackend, Problem
from ..keywords import known_keywords
from ._image import ImageEnergy


@known_keywords
@dataclass(frozen=True)
class TVL1(ImageEnergy):
    """Total-variation denoising of an image with outliers (salt and pepper), or removal of small structures.

    Parameters
    ----------
    image : (*spatial) float array, or with channels along `channel_axis`
        2-D or 3-D, any range.
    alpha : float
        Weight of the total variation: half the radius of the smallest disc that stays, in units of length. Bigger
        removes bigger structures; 0 leaves the image unchanged.
    weight, channel_axis, spacing, tv, lower, upper
        As in `ROF`.

    References
    ----------
    Chan, Esedoglu, SIAM J. Appl. Math. 65, 2005, doi:10.1137/040604297

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import TVL1, pdhg
    >>> image = np.hypot(*np.mgrid[-20:21, -20:21]) < 12
    >>> image[3, 3] = True  # an outlier
    >>> bool(pdhg(TVL1(image, alpha=1.0)).u[3, 3] < 0.5)
    True
    """

    def problem(self, backend: ArrayBackend) -> Problem:
        """In the arrays of `backend`: no linear cost, an L1 term around the image."""
        data, data_error = self.data(backend)
        return self._problem(
            backend,
            cost_unit=self.scale,
            radius=self.alpha,
            cost=backend.xp.zeros_like(data),
            l1_weight=1.0,
            target=data,
            data_error=data_error,
        )
