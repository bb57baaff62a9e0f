"""The 1-0-1 penalty: on no line may a pixel outside lie between two inside.

    P(u) = sum over lines, over p < q < r on the line, of  u_p (1 - u_q) u_r

in 16 directions. With H(q) the sum of u before q on its line, and T(q) that after it, a line has
sum_q (1 - u_q) H(q) T(q), and the derivative is

    dP/du_q = -H(q) T(q) + sum over s < q of (1 - u_s) H(s) + sum over s > q of (1 - u_s) T(s):

running sums, one pass forth and one back.

L. Gorelick, O. Veksler, Y. Boykov, C. Nieuwenhuis, "Convexity shape prior for binary segmentation", IEEE TPAMI 39(2),
2017, doi:10.1109/TPAMI.2016.2547399; there with trust regions and graph cuts.
"""

import math

import numba
import numpy as np

from varconvex.errors import InvalidImageError

from .penalty import PenaltyShape

__all__ = ["OneZeroOneShape"]

DIRECTIONS = np.array([(r, c) for r in range(-3, 4) for c in range(4) if math.gcd(r, c) == 1 and (c, r) > (0, 0)])


class OneZeroOneShape(PenaltyShape):
    """Convexity by the 1-0-1 penalty, linearised, in the primal-dual solver. Images only.

    Promised: `inside` and `outside` are held, and the same input gives the same mask. Not promised: that the mask is
    convex. It is a penalty in 16 directions, whose local minimum depends on the target; the certificate may refute it.

    Parameters
    ----------
    weight, alpha, steps
        As in `PenaltyShape`.

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 10:50] = 1
    >>> OneZeroOneShape().fit(target).mask[20, 30]
    np.True_
    """

    def penalty(self, u: np.ndarray, spacing: np.ndarray) -> tuple[float, np.ndarray]:
        """P(u) and its gradient, a triple counting one over the object's area, directions averaged."""
        if u.ndim != 2:
            raise InvalidImageError(
                f"the 1-0-1 penalty needs an image; got a target of shape {u.shape}: use BallShape for volumes"
            )
        value, gradient = _triples(np.ascontiguousarray(u, np.float64), DIRECTIONS)
        scale = 1 / (len(DIRECTIONS) * max(float(u.sum()), 1.0))
        return scale * value, scale * gradient


def count_triples(mask: np.ndarray) -> float:
    """Triples 1-0-1 on the lines of pixels in 16 directions, of an image's mask; whole, and 0 for a convex one."""
    return _triples(mask.astype(np.float64), DIRECTIONS)[0]


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _triples(u: np.ndarray, directions: np.ndarray) -> tuple[float, np.ndarray]:
    """The sum over all triples of pixels on a line, and its gradient."""
    rows, columns = u.shape
    gradient, total = np.zeros(u.shape), 0.0
    for k in range(len(directions)):
        dr, dc = directions[k]
        before, gaps = np.zeros(u.shape), np.zeros(u.shape)
        # In the order of the lines: a pixel's predecessor comes first.
        for i in range(rows):
            r = i if dr >= 0 else rows - 1 - i
            for c in range(columns):
                if 0 <= r - dr < rows and 0 <= c - dc < columns:
                    value = u[r - dr, c - dc]
                    before[r, c] = before[r - dr, c - dc] + value
                    gaps[r, c] = gaps[r - dr, c - dc] + (1 - value) * before[r - dr, c - dc]
        after, gaps_after = np.zeros(u.shape), np.zeros(u.shape)
        for i in range(rows - 1, -1, -1):
            r = i if dr >= 0 else rows - 1 - i
            for c in range(columns - 1, -1, -1):
                if 0 <= r + dr < rows and 0 <= c + dc < columns:
                    value = u[r + dr, c + dc]
                    after[r, c] = after[r + dr, c + dc] + value
                    gaps_after[r, c] = gaps_after[r + dr, c + dc] + (1 - value) * after[r + dr, c + dc]
                through = before[r, c] * after[r, c]
                total += (1 - u[r, c]) * through
                gradient[r, c] += gaps[r, c] + gaps_after[r, c] - through
    return total, gradient
