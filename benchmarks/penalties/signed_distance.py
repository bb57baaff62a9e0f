"""One level set function with a condition on its Laplacian: the signed distance phi to a convex set has none below 0.

    min over phi   sum over x of (1 - 2 target) H(-phi)     subject to   |grad phi| = 1,   Laplacian(phi) >= 0

Split into p = grad phi on the unit circle and q = Laplacian(phi) >= 0, each with its multiplier (ADMM): p and q are
projections, and phi solves (r2 Laplacian^2 - r1 Laplacian + r0) phi = right hand side, by cosine transforms, with the
data term linearised at the last phi. H is smooth, and sharpened from a sixtieth of the side to a pixel.

S. Luo, X.-C. Tai, L. Huo, Y. Wang, R. Glowinski, "Convex shape prior for multi-object segmentation using a single level
set function", ICCV 2019; the condition for one object: S. Luo, X.-C. Tai, "Convex shape priors for level set
representation", 2018, arXiv:1811.04715.

Simplified: one object; no length beside the data, since the condition itself smooths; the condition on all pixels but
those at the border, where a difference lacks its neighbour; strokes are held by clipping phi on them.
"""

import numpy as np

from varconvex.shapes.base import Callback

from .painted import Painted
from .rival import LocalSearch

__all__ = ["SignedDistanceShape"]


class SignedDistanceShape(LocalSearch):
    """Convexity by the Laplacian of a signed distance, by ADMM. Images only.

    Promised: `inside` and `outside` are held, and the same input gives the same mask. Not promised: that the mask is
    convex. The condition holds in the limit of iterations and of fine grids; the certificate may refute it.

    Parameters
    ----------
    steps : int
        Iterations. More come closer to the conditions.
    gradient, laplacian : float
        Weights r1 and r2 of the two couplings. Bigger ones hold the conditions earlier and move more slowly.

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 10:50] = 1
    >>> SignedDistanceShape().fit(target).mask[20, 30]
    np.True_
    """

    def __init__(self, steps: int = 400, gradient: float = 1.0, laplacian: float = 5.0):
        self.steps, self.gradient, self.laplacian = steps, gradient, laplacian

    def improved(
        self, start: np.ndarray, cost: np.ndarray, inside: np.ndarray, outside: np.ndarray, rng: np.random.Generator,
        callback: Callback,
    ) -> tuple[np.ndarray, float]:  # fmt: skip
        phi = Painted(start, 0.0, 0.0).distance
        widths = np.geomspace(max(max(start.shape) / 60, 1.0), 1.0, self.steps)
        solve = Screened(start.shape, self.gradient, self.laplacian)
        p, q = gradient(phi), laplacian(phi)
        lag_p, lag_q = np.zeros(p.shape), np.zeros(q.shape)
        for width in widths:
            force = cost * (width / np.pi) / (width**2 + phi**2)
            phi = solve(phi, force, p - lag_p, q - lag_q)
            phi = np.where(inside, np.minimum(phi, -0.5), np.where(outside, np.maximum(phi, 0.5), phi))
            slope, bend = gradient(phi) + lag_p, laplacian(phi) + lag_q
            p = slope / np.maximum(np.hypot(*slope), 1e-9)
            q = np.maximum(bend, 0)
            _free_at_the_border(p, slope, q, bend)
            lag_p, lag_q = slope - p, bend - q
            if callback is not None:
                callback(phi <= 0)
        return phi <= 0, violation(phi)


def gradient(phi: np.ndarray) -> np.ndarray:
    """Forward differences, 0 behind the last pixel: (2, H, W)."""
    found = np.zeros((2, *phi.shape))
    found[0, :-1], found[1, :, :-1] = np.diff(phi, axis=0), np.diff(phi, axis=1)
    return found


def divergence(p: np.ndarray) -> np.ndarray:
    """Minus the adjoint of `gradient`."""
    found = np.zeros(p.shape[1:])
    found[:-1] += p[0, :-1]
    found[1:] -= p[0, :-1]
    found[:, :-1] += p[1, :, :-1]
    found[:, 1:] -= p[1, :, :-1]
    return found


def laplacian(phi: np.ndarray) -> np.ndarray:
    """Divergence of the gradient."""
    return divergence(gradient(phi))


def violation(phi: np.ndarray) -> float:
    """How far the Laplacian is below 0 on the pixels beside the boundary, their sum."""
    near = (np.abs(phi) < 1.5)[1:-1, 1:-1]
    return float(np.maximum(-laplacian(phi)[1:-1, 1:-1], 0)[near].sum())


def _free_at_the_border(p: np.ndarray, slope: np.ndarray, q: np.ndarray, bend: np.ndarray) -> None:
    """No conditions where differences lack a neighbour."""
    for edge in (np.s_[-1], np.s_[:, -1]):
        p[(np.s_[:], *np.atleast_1d(edge))] = slope[(np.s_[:], *np.atleast_1d(edge))]
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        q[edge] = bend[edge]


class Screened:
    """phi of least  <-force, phi> + r0/2 |phi - last|^2 + r1/2 |grad phi - p|^2 + r2/2 |Laplacian phi - q|^2."""

    def __init__(self, shape: tuple[int, ...], along: float, bend: float):
        self.proximal, self.along, self.bend = 0.02, along, bend
        rows, columns = (2 - 2 * np.cos(np.pi * np.arange(n) / n) for n in shape)
        waves = rows[:, None] + columns
        self.symbol = self.proximal + along * waves + bend * waves**2

    def __call__(self, last: np.ndarray, force: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
        from scipy.fft import dctn, idctn

        right = self.proximal * last + force - self.along * divergence(p) + self.bend * laplacian(q)
        return np.asarray(idctn(dctn(right) / self.symbol))
