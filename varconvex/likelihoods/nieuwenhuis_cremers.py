"""A kernel density in colour and position whose width grows with the distance from the scribbles.

    cost_k(x) = -log 1/m_k sum_j N(x; x_kj, rho_k(x)^2) N(I(x); I_kj, sigma^2)
    rho_k(x)  = rho_factor * max(distance from x to the nearest scribble of k, one pixel)

Near a stroke only its own colours count; far from all strokes, all colours of the label do. With a share e of uniform
outliers, N(I(x); I_kj, sigma^2) becomes (1 - e) N + e, on N's scale of 1 at its centre: colours that no stroke has
touched then cost the same for all labels but for their positions.

In a volume the density of position, rho_k^-3 exp(...), is rho_k^-1 exp(...). Strokes are lines in a few of its slices,
and most voxels are far from all of them: with the cube, those three times as near to the object's as to the
background's would have 3.3 nats for the object, more than colours may say against it.

Distance does not see what lies between. An object costs more where a random walk on the image (`_harmonic.py`) hardly
ever meets its scribbles before those of other labels, with probability h_k(x):

    cost_k(x) += detour max(log((1 - h_k(x)) / h_k(x)) - 2, 0)                                             k > 0
"""

from dataclasses import dataclass

import numpy as np

from .. import checks
from ..backends import ArrayBackend, get_backend
from ..errors import InvalidParameterError
from ..inputs import Scene
from ..keywords import known_keywords
from ..threads import run
from ._harmonic import Walks, harmonic_measure
from .base import CLIP, bounded, change, training_pixels

_FREE, _LEAST_REACHED = 2.0, 1e-3
"""Log-odds that cost nothing: e^2 is 7 in 8. Least h_k: what is computed below is not exact."""


@known_keywords
@dataclass(frozen=True)
class NieuwenhuisCremersLikelihood:
    """Spatially varying colour distributions, learnt from the scribbles.

    Distances are relative: an image enlarged with its scribbles has the same costs, up to the floor of one
    pixel.

    Parameters
    ----------
    rho_factor : float, more than 0
        Width of the kernel in position, in distances to the label's nearest scribble. Bigger gives weight to distant
        strokes (very big: all strokes of the label alike, weighed by its distance alone); smaller to the nearest
        stroke only; towards 0 to its nearest pixel.
    sigma : float, more than 0
        Width of the kernel in colour: black to white is 1. Bigger calls more colours alike; smaller asks for
        the very colours of the strokes, noise included; towards 0 the nearest colour decides.
    clip : float or None
        Bound on the difference between labels at one pixel, in nats. Bigger gives the colours more weight beside
        the boundary; 0 makes all labels equal at every pixel; None is no bound.
    max_seeds : int, at least 1
        Pixels of a label's scribbles that carry a kernel; of more, as many, evenly spread along the strokes.
        Neighbouring pixels of a stroke are redundant, so that bigger is hardly better, and slower in
        proportion. The distances always use all of them.
    outliers : (2,) float in [0, 1)
        Share of uniform outliers among the colours of the background and of each object. Bigger leaves colours that no
        stroke has touched to position; 0 decides by the nearest stroke's colours, however far they are.
    detour : float or None
        Cost of an object per log-odds, beyond 2, that a random walk from the pixel meets other scribbles first, in
        nats. Bigger keeps objects from flowing around the background's strokes; 0 sees distances only. None is 2 in
        the energy of `segment`, beside a total variation, and 0 elsewhere.
    backend : {"numba", "numpy", "cupy"}, ArrayBackend or None
        Computes the sums of kernels. None is the energy's backend, and Numba outside of `segment`.

    References
    ----------
    Nieuwenhuis, Cremers, Spatially Varying Color Distributions for Interactive Multilabel Segmentation, IEEE
    TPAMI 35, 2013, doi:10.1109/TPAMI.2012.183

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex.inputs import prepare
    >>> image, scribbles = np.array([[0.0, 0.1, 0.9, 1.0]]), np.array([[1, 0, 0, 2]])
    >>> costs = NieuwenhuisCremersLikelihood().costs(prepare(image, scribbles))
    >>> costs.argmin(axis=0)
    array([[0, 0, 1, 1]])
    """

    rho_factor: float = 5.0
    sigma: float = 0.1
    clip: float | None = CLIP
    max_seeds: int = 1000
    outliers: tuple[float, float] = (0.0, 0.0)
    detour: float | None = None
    backend: str | ArrayBackend | None = None

    def __post_init__(self) -> None:
        for name in ("rho_factor", "sigma"):
            change(self, **{name: checks.positive(name, getattr(self, name))})
        for name in ("detour", "clip"):
            if (value := getattr(self, name)) is not None:
                change(self, **{name: checks.real_number(name, value)})
        change(self, max_seeds=checks.whole_number("max_seeds", self.max_seeds, least=1))
        shares = np.asarray(self.outliers) if checks.n_axes(self.outliers) == 1 else np.empty(0)
        if shares.shape != (2,) or shares.dtype.kind not in "buif" or not ((shares >= 0) & (shares < 1)).all():
            raise InvalidParameterError(
                f"outliers must be two shares in [0, 1), the background's and the objects'; got {self.outliers!r}. "
                "Pass e.g. (0.01, 0.03)."
            )

    def costs(self, scene: Scene) -> np.ndarray:
        """(K, *spatial) float32, in nats; see `Likelihood.costs`."""
        if any(self.outliers) or self.clip is None:
            lengths, by_position = self.lengths(scene)
            return bounded(self.with_outliers(lengths, by_position) + self.detours(scene), scene, self.clip)
        backend = get_backend(self.backend)
        (points, weights, seeds), detours = run(
            lambda part, *arguments: part(*arguments), [(self._kernels, scene, backend), (self.detours, scene)]
        )
        offsets = detours.reshape(weights.shape) + _lengths_of_widths(weights, scene.seeds.ndim)
        there, wide, offset, *kernels = map(backend.asarray, (points, weights, offsets, *seeds))
        costs = backend.kernel_costs(there, wide, offset, kernels, scene.seeds.shape, self.clip)
        return bounded(backend.to_numpy(costs).reshape(-1, *scene.seeds.shape), scene, self.clip)

    def lengths(self, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
        """-log of each label's density without outliers, and by position alone (0 without a share of outliers).

        Both (K, *spatial) float32, in nats, up to one constant for all pixels and labels.
        """
        backend = get_backend(self.backend)
        axes = scene.seeds.ndim
        points, weights, seeds = self._kernels(scene, backend)
        there, places = backend.asarray(points), backend.asarray(points[:, :axes])
        found = np.zeros((2, len(seeds), *scene.seeds.shape), np.float32)
        for k, (weight, mine) in enumerate(zip(weights, seeds, strict=True)):
            width = _lengths_of_widths(weight, axes)
            weight = backend.asarray(weight)
            density = backend.log_kernel_mean(there, weight, backend.asarray(mine), axes)
            found[0, k] = (width - backend.to_numpy(density)).reshape(scene.seeds.shape)
            if self.outliers[min(k, 1)]:
                uniform = backend.log_kernel_mean(places, weight, backend.asarray(mine[:axes]), axes)
                found[1, k] = (width - backend.to_numpy(uniform)).reshape(scene.seeds.shape)
        return found[0], found[1]

    def with_outliers(self, lengths: np.ndarray, by_position: np.ndarray) -> np.ndarray:
        """-log of each label's density with its share of outliers, of the results of `lengths`: (K, *spatial)."""
        mixed = lengths.copy()
        for k, length in enumerate(mixed):
            share = self.outliers[min(k, 1)]
            if share:
                length[...] = -np.logaddexp(np.log1p(-share) - lengths[k], np.log(share) - by_position[k])
        return mixed

    def detours(self, scene: Scene) -> np.ndarray:
        """Extra cost of objects where scribbles of other labels are in the way: (K, *spatial) float32, in nats."""
        found = np.zeros((len(scene.labels), *scene.seeds.shape), np.float32)
        if self.detour:
            walks = scene.once("walks", lambda: Walks.of(scene.seeds >= 0, scene.appearance, scene.spacing))
            found[1:] = self.detour_costs(harmonic_measure(scene.seeds, walks, len(scene.labels))[1:])
        return found

    def detour_costs(self, reached: np.ndarray) -> np.ndarray:
        """Extra cost where the harmonic measure of an object is `reached`."""
        reached = np.clip(reached, _LEAST_REACHED, 1 - _LEAST_REACHED)
        return (self.detour or 0.0) * np.maximum(np.log((1 - reached) / reached) - _FREE, 0)

    def kernels(self, places: np.ndarray, colours: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
        """Features of seeds at `places` ((m, d) int) with `colours` ((m, C)) for `costs_nearby`: (d + C, m) float32."""
        unit = np.float32(np.sqrt(2) * self.sigma)
        found = np.concatenate([places * np.array(spacing), colours / unit], axis=1)
        return np.ascontiguousarray(found.T, np.float32)

    def costs_nearby(
        self, colours: np.ndarray, first: int, distances: np.ndarray, detours: np.ndarray, seeds: list[np.ndarray],
        spacing: tuple[float, ...],
    ) -> np.ndarray:  # fmt: skip
        """`costs` of some rows of an image, without outliers and with a clip, from what is known of the whole.

        Parameters
        ----------
        colours : (n, *rest, C) float32
            Of the image's slices from `first` on.
        distances, detours : (K, n, *rest) float
            To the nearest scribble of each label, and as `detours`.
        seeds : K arrays as of `kernels`
        """
        backend, clip = get_backend(self.backend), CLIP if self.clip is None else self.clip
        shape = colours.shape[:-1]
        points = self._features(colours, spacing, first)
        weights = np.stack([0.5 / self._width(distance, spacing).ravel() ** 2 for distance in distances])
        offsets = detours.reshape(weights.shape) + _lengths_of_widths(weights, len(shape))
        there, wide, offset, *kernels = map(backend.asarray, (points, weights, offsets, *seeds))
        costs = backend.kernel_costs(there, wide, offset, kernels, shape, clip)
        return backend.to_numpy(costs).reshape(-1, *shape)

    def _kernels(self, scene: Scene, backend: ArrayBackend) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """Features of all pixels, weights of squared distances and features of seeds, as in `log_kernel_mean`.

        (n, d + C), (K, n) and K of (d + C, m_k), float32: position, then colour in units of sqrt(2) sigma.
        """
        points, scribbled = self._points(scene), training_pixels(scene)
        weights, seeds = np.empty((len(scribbled), len(points)), np.float32), []
        for k, mine in enumerate(scribbled):
            there = np.zeros(len(points), bool)
            there[mine] = True
            weights[k] = 0.5 / self._widths(scene, there, backend) ** 2
            kept = evenly_spread(mine, min(mine.size, int(self.max_seeds)))
            seeds.append(np.ascontiguousarray(points[kept].T))
        return points, weights, seeds

    def _points(self, scene: Scene) -> np.ndarray:
        """Position and colour of each pixel, the latter in units of sqrt(2) sigma: (n, d + C) float32."""
        return self._features(scene.appearance, scene.spacing)

    def _features(self, colours: np.ndarray, spacing: tuple[float, ...], first: int = 0) -> np.ndarray:
        """`_points` of the slices from `first` on with these colours."""
        *shape, channels = colours.shape
        axes = len(shape)
        grid = np.empty((*shape, axes + channels), np.float32)
        for k, step in enumerate(spacing):
            along = [-1 if axis == k else 1 for axis in range(axes)]
            begin = first if k == 0 else 0
            grid[..., k] = (np.arange(begin, begin + shape[k]) * step).reshape(along)
        grid[..., axes:] = colours / np.float32(np.sqrt(2) * self.sigma)
        return grid.reshape(-1, axes + channels)

    def _widths(self, scene: Scene, there: np.ndarray, backend: ArrayBackend) -> np.ndarray:
        """rho at each pixel for a label with scribbles on the pixels `there` ((n,) bool): (n,) float32.

        The floor: positions are known to a pixel, and a pixel of a stroke is no surer of its own colour than
        its neighbour is. Without it the width would be 0 on the strokes and their density infinite.
        """
        return self._width(backend.distance(there.reshape(scene.seeds.shape), scene.spacing), scene.spacing).ravel()

    def _width(self, distance: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
        """rho at these distances from a label's scribbles: float32."""
        pixel = np.prod(spacing) ** (1 / len(spacing))
        return (self.rho_factor * np.maximum(distance, pixel)).astype(np.float32)


def power_of_width(axes: int) -> int:
    """e in the factor rho^-e of the density of position on a grid with so many axes."""
    return axes if axes < 3 else 1


def _lengths_of_widths(weights: np.ndarray, axes: int) -> np.ndarray:
    """-log of the factor rho^-e, for `weights` 1 / (2 rho^2), up to a constant that is the same for all labels."""
    return -0.5 * power_of_width(axes) * np.log(weights)


def evenly_spread(pixels: np.ndarray, count: int) -> np.ndarray:
    """`count` of these flat indices, evenly spread in their order, the same ones each time."""
    return pixels[np.linspace(0, pixels.size - 1, count).round().astype(np.intp)]
