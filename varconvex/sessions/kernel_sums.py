"""The default likelihood for one image, its sums of kernels kept from one stroke to the next.

    L_k(x) = log sum_j w_kj exp(-|x - x_kj|^2 / (2 rho_k(x)^2) - |I(x) - I_kj|^2 / (2 sigma^2)),    sum_j w_kj = m_k

A new stroke of label k adds its terms to L_k, wherever their colours can make a difference; where it is nearer than the
strokes before it, rho_k has fallen and the sum is computed anew. Other labels keep theirs.

Of a label with more pixels than carry a kernel, each stroke has its share of them, evenly spread along it;
`NieuwenhuisCremersLikelihood` spreads them anew over all strokes. Both stand for the sum over all pixels, and neither
is nearer to it; with fewer pixels they are the same. Where an energy is nearly flat, either can differ from the answer
of the full sum on 1 % of the pixels, at the same energy within the tolerance.
"""

from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np

from ..backends import get_backend
from ..inputs import Scene
from ..likelihoods.base import bounded, training_pixels
from ..likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood, evenly_spread, power_of_width
from ..threads import run

_LEAST = 50
"""Pixels of a new stroke that carry a kernel, if it has as many: its share of a long history may be next to none."""

_MOST = 2
"""Kernels, in `max_seeds`, from which on all strokes of a label are spread anew."""

_SLIGHT = 0.005
"""Nats that a new stroke may add to L_k and be left out for; a tenth of what it costs to be spread another way."""

_BIN = 0.5
"""Width of the bins of colours by which such pixels are found, in units of sqrt(2) sigma, unless they are too many."""

_MOST_BINS = 24
"""Bins along a channel; three channels have them."""

_BYTES = 2**27
"""Sums that are kept of former strokes, so that a stroke after an undo adds to what was there."""


@dataclass(frozen=True, eq=False)
class _Sum:
    """L_k and rho_k on the grid, (n,) float32, of the pixels `there` ((n,) bool); its kernels (F, m) and their w."""

    there: np.ndarray
    rho: np.ndarray
    total: np.ndarray
    kernels: np.ndarray
    weights: np.ndarray

    @property
    def mass(self) -> float:
        """m_k."""
        return float(self.weights.sum())


@dataclass(frozen=True, eq=False)
class KernelSums(NieuwenhuisCremersLikelihood):
    """The likelihood for scenes of one image; costs of others, and with outliers, are computed as by any other.

    For one thread at a time. Copies with another `backend` or `detour` have the same sums.
    """

    image: np.ndarray | None = None
    known: dict[int, list[_Sum]] = field(default_factory=dict)

    @classmethod
    def of(cls, likelihood: NieuwenhuisCremersLikelihood, image: np.ndarray) -> Self:
        """The likelihood, for an image as it is in scenes."""
        return cls(**{f.name: getattr(likelihood, f.name) for f in fields(likelihood)}, image=image)

    def costs(self, scene: Scene) -> np.ndarray:
        """(K, *spatial) float32, in nats; see `Likelihood.costs`."""
        if scene.image is not self.image or scene.features is not None or any(self.outliers):
            return super().costs(scene)
        lengths, detours = run(lambda part: part(scene), [(self._kept_lengths,), (self.detours,)])
        return bounded(lengths + detours, scene, self.clip)

    def _kept_lengths(self, scene: Scene) -> np.ndarray:
        """-log of each label's density: (K, *spatial) float32, in nats, up to one constant."""
        points = scene.once("points", lambda: self._points(scene))
        power, lengths = power_of_width(scene.seeds.ndim), np.empty((len(scene.labels), len(points)), np.float32)
        for k, (label, mine) in enumerate(zip(scene.labels, training_pixels(scene), strict=True)):
            found = self._sum(scene, label, mine, points)
            np.log(found.rho, out=lengths[k])
            lengths[k] *= power
            lengths[k] -= found.total - np.float32(np.log(found.mass))
        return lengths.reshape(-1, *scene.seeds.shape)

    def _sum(self, scene: Scene, label: int, mine: np.ndarray, points: np.ndarray) -> _Sum:
        """L_k for the pixels `mine` (flat indices), from the nearest of those that are known."""
        there = np.zeros(len(points), bool)
        there[mine] = True
        known = self.known.setdefault(label, [])
        before = None
        for one in known:
            if not (one.there & ~there).any() and (before is None or one.mass > before.mass):
                before = one
        if before is None or (there & ~before.there).any():
            found = self._computed(scene, before, there, points)
            most = max(_BYTES // (9 * len(points) * max(len(self.known), 1)), 1)
            known[:] = [found, *(s for s in known if s is not found)][:most]
            return found
        return before

    def _computed(self, scene: Scene, before: _Sum | None, there: np.ndarray, points: np.ndarray) -> _Sum:
        """L_k for the pixels `there`, those of `before` among them."""
        most, mass = int(self.max_seeds), int(np.count_nonzero(there))
        if before is not None and before.weights.size > _MOST * most:
            before = None
        new = np.flatnonzero(there if before is None else there & ~before.there)
        share = most * new.size / max(mass, most)
        count = min(new.size, max(round(share), min(_LEAST, most)))
        kept = evenly_spread(new, count)
        kernels, weights = np.ascontiguousarray(points[kept].T), np.full(count, new.size / count)
        rho, axes = self._widths(scene, there, get_backend(self.backend)), scene.seeds.ndim
        if before is None:
            return _Sum(there, rho, self._log_sum(points, rho, kernels, weights, axes), kernels, weights)
        total, nearer = before.total.copy(), rho < before.rho
        more = self._log_most(scene, kernels, new.size) - before.total > np.log(_SLIGHT)
        added = np.flatnonzero(more & ~nearer)
        terms = self._log_sum(points[added], rho[added], kernels, weights, axes)
        total[added] = np.logaddexp(total[added], terms)
        kernels = np.concatenate([before.kernels, kernels], axis=1)
        weights, anew = np.concatenate([before.weights, weights]), np.flatnonzero(nearer)
        total[anew] = self._log_sum(points[anew], rho[anew], kernels, weights, axes)
        return _Sum(there, rho, total, kernels, weights)

    def _log_most(self, scene: Scene, kernels: np.ndarray, mass: float) -> np.ndarray:
        """Bound of L_k of these kernels alone, by the pixels' colours: (n,) float32."""
        place, low, high = scene.once("bins of colours", lambda: self._bins(scene))
        colours = kernels[scene.seeds.ndim :][: low.shape[1]].T
        outside = np.maximum(low[:, None] - colours, colours - high[:, None]).clip(0)
        return (np.log(mass) - (outside**2).sum(axis=2).min(axis=1)).astype(np.float32)[place]

    def _bins(self, scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The number of each pixel's bin, (n,) int32, and the ends of each bin, (bins, channels) float32."""
        colours = scene.once("points", lambda: self._points(scene))[:, scene.seeds.ndim :][:, :3]
        least = colours.min(axis=0)
        width = np.maximum((colours.max(axis=0) - least) / _MOST_BINS, _BIN)
        cells = ((colours - least) / width).astype(np.int32)
        sides = tuple(cells.max(axis=0) + 1)
        place = np.ravel_multi_index(tuple(cells.T), sides)
        used = np.flatnonzero(np.bincount(place))
        number = np.zeros(int(np.prod(sides)), np.int32)
        number[used] = np.arange(used.size)
        # A pixel on the border of two bins may be in either, by rounding.
        low = np.transpose(np.unravel_index(used, sides)) * width + least - 1e-4
        return number[place], low.astype(np.float32), (low + width + 2e-4).astype(np.float32)

    def _log_sum(
        self, points: np.ndarray, rho: np.ndarray, kernels: np.ndarray, weights: np.ndarray, axes: int
    ) -> np.ndarray:
        """L_k at some points of these kernels: (n,) float32.

        A weight w < 1 is exp(-f^2), the factor of a colour channel in which the kernel is at f and all points are at 0.
        """
        largest = weights.max(initial=0.0)
        if (weights != largest).any():
            points = np.concatenate([points, np.zeros((len(points), 1), np.float32)], axis=1)
            channel = np.sqrt(np.log(largest / weights)).astype(np.float32)
            kernels = np.concatenate([kernels, channel[None]])
        backend = get_backend(self.backend)
        there, weight, seeds = (backend.asarray(array) for array in (points, 0.5 / rho**2, kernels))
        mean = backend.to_numpy(backend.log_kernel_mean(there, weight, seeds, axes))
        return mean + np.float32(np.log(largest * weights.size))
