"""Rudin, Osher and Fatemi's denoising, and its Huber form.

    min over u   1/2 |u - image|^2 + alpha sum_x weight(x) h(|grad u(x)|)

h(t) = t, or with huber > 0  t^2 / (2 huber) below huber and t - huber/2 beyond: flat slopes stay smooth, without steps.
Colours share one gradient, so that edges of all channels fall together.
"""

from dataclasses import dataclass, field

from .. import checks
from ..backends import ArrayBackend, Problem
from ..keywords import known_keywords
from ._image import ImageEnergy


@known_keywords
@dataclass(frozen=True)
class ROF(ImageEnergy):
    """Total-variation denoising of an image with Gaussian noise.

    Parameters
    ----------
    image : (*spatial) float array, or with channels along `channel_axis`
        2-D or 3-D, any range.
    alpha : float
        Weight of the total variation, in the unit of the image times a length. Bigger is smoother and flatter, and
        lowers the contrast of small structures; 0 leaves the image unchanged.
    huber : float
        Slope, in the unit of the image per length, below which the cost of a gradient is quadratic. Bigger is smoother
        on slopes; 0 is total variation, which turns them into steps.
    weight : (*spatial) array, optional
        Factor on alpha at each pixel; 0 makes edges there free.
    channel_axis : int, optional
        Where the channels are; None for a grey image. Channels share one gradient.
    spacing, tv
        As in `TwoPhase`.
    lower, upper : float, optional
        Bounds on u; by default the image's range, which no minimiser leaves.

    References
    ----------
    Rudin, Osher, Fatemi, Physica D 60, 1992, doi:10.1016/0167-2789(92)90242-F
    Chambolle, Pock, J. Math. Imaging Vis. 40, 2011, doi:10.1007/s10851-010-0251-1

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import ROF, pdhg
    >>> noisy = np.random.default_rng(0).normal(size=(40, 50))
    >>> bool(pdhg(ROF(noisy, alpha=1.0)).u.std() < noisy.std())
    True
    """

    huber: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "huber", checks.real_number("huber", self.huber))

    def problem(self, backend: ArrayBackend) -> Problem:
        """In the arrays of `backend`."""
        return self._quadratic(backend, 1.0, radius=self.alpha / self.scale, huber=self.huber / self.scale)
