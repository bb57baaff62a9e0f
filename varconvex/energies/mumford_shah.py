"""Piecewise smooth: Mumford and Shah's functional in the form of Strekalovskiy and Cremers (2014).

    min over u   |u - image|^2 + sum_x weight(x) min(alpha |grad u(x)|^2, jump)

Smooth where the gradient's cost is below that of a jump, discontinuous elsewhere. Not convex: `stationary` finds a
stationary point near the image, not a global minimum, and there is no lower bound and no gap. `pdhg` refuses it.
"""

from dataclasses import dataclass, field

from .. import checks
from ..backends import ArrayBackend, Problem
from ..keywords import known_keywords
from ._image import ImageEnergy


@known_keywords
@dataclass(frozen=True)
class MumfordShah(ImageEnergy):
    """Piecewise smooth approximation of an image, and its edges.

    Parameters
    ----------
    image : (*spatial) float array, or with channels along `channel_axis`
        2-D or 3-D; the defaults are for a range of 1.
    alpha : float
        Weight of the squared gradient, in units of length squared. Bigger is flatter between edges, about
        sqrt(alpha) pixels far.
    jump : float, more than 0
        Cost of a pixel of edge, in the squared unit of the image. Bigger leaves fewer edges: contrasts below about
        sqrt(2 jump / sqrt(alpha)) are smoothed.
    weight, channel_axis, spacing, lower, upper
        As in `ROF`. Channels share the edges.
    tv : {"isotropic", "anisotropic", "octagonal"}
        "isotropic" truncates the squared norm of the whole gradient, the others each direction by itself.

    References
    ----------
    Strekalovskiy, Cremers, ECCV 2014, doi:10.1007/978-3-319-10605-2_9

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import MumfordShah, stationary
    >>> image = np.tile(np.repeat([0.0, 1.0], 20), (20, 1))
    >>> int(stationary(MumfordShah(image)).edges.sum())  # one jump in each row
    20
    """

    alpha: float = 20.0
    jump: float = field(default=0.1, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "alpha", checks.real_number("alpha", self.alpha, strict=True))
        object.__setattr__(self, "jump", checks.real_number("jump", self.jump, strict=True))

    def problem(self, backend: ArrayBackend) -> Problem:
        """In the arrays of `backend`: jump * min(|grad u|^2 / (2 huber), 1) with huber = jump / (2 alpha)."""
        jump = self.jump / self.scale**2
        return self._quadratic(backend, 2.0, radius=jump, huber=jump / (2 * self.alpha), truncated=True)
