"""A kernel density in colour and position whose width grows with the distance from the scribbles.

    cost_k(x) = -log 1/m_k sum_j N(x; x_kj, rho_k(x)^2) N(I(x); I_kj, sigma^2)
    rho_k(x)  = rho_factor * max(distance from x to the nearest scribble of k, one pixel)

Near a stroke only its own colours count; far from all strokes, all colours of the label do. With a share e of uniform
outliers, N(I(x); I_kj, sigma^2) becomes (1 - e) N + e, on N's scale of 1 at its centre: colours that no stroke has
touched then cost the same for all labels but for their positions.
"""

from dataclasses import dataclass

import numpy as np

from .. import checks
from ..backends import ArrayBackend, get_backend
from ..errors import InvalidParameterError
from ..inputs import Scene
from .base import CLIP, bounded, training_pixels


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
    backend: str | ArrayBackend | None = None

    def __post_init__(self) -> None:
        checks.real_number("rho_factor", self.rho_factor, strict=True)
        checks.real_number("sigma", self.sigma, strict=True)
        checks.whole_number("max_seeds", self.max_seeds, least=1)
        if self.clip is not None:
            checks.real_number("clip", self.clip)
        shares = np.asarray(self.outliers)
        if shares.shape != (2,) or shares.dtype.kind not in "buif" or not ((shares >= 0) & (shares < 1)).all():
            raise InvalidParameterError(
                f"outliers must be two shares in [0, 1), the background's and the objects'; got {self.outliers!r}. "
                "Pass e.g. (0.01, 0.03)."
            )

    def costs(self, scene: Scene) -> np.ndarray:
        """(K, *spatial) float32, in nats; see `Likelihood.costs`."""
        lengths, by_position = self.lengths(scene)
        return bounded(self.with_outliers(lengths, by_position), scene, self.clip)

    def lengths(self, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
        """-log of each label's density without outliers, and by position alone (0 without a share of outliers).

        Both (K, *spatial) float32, in nats, up to one constant for all pixels and labels.
        """
        backend = get_backend(self.backend)
        scribbled = training_pixels(scene)
        axes = scene.seeds.ndim
        # (n, d + C): each pixel's position, then its colour in units of sqrt(2) sigma.
        steps = np.asarray(scene.spacing, np.float32)
        position = np.moveaxis(np.indices(scene.seeds.shape, dtype=np.float32), 0, -1) * steps
        colour = scene.colours / np.float32(np.sqrt(2) * self.sigma)
        points = np.concatenate([position, colour], axis=-1, dtype=np.float32).reshape(-1, axes + colour.shape[-1])
        there, places = backend.asarray(points), backend.asarray(points[:, :axes])
        found = np.zeros((2, len(scribbled), *scene.seeds.shape), np.float32)
        for k, mine in enumerate(scribbled):
            rho = self._width(scene, mine).ravel()
            # At most `max_seeds`, evenly spread, the same ones each time.
            kept = np.linspace(0, mine.size - 1, min(mine.size, int(self.max_seeds))).round().astype(np.intp)
            seeds = points[mine[kept]].T
            weight = backend.asarray(0.5 / rho**2)
            # The Gaussians' other factors are the same for all labels.
            width = axes * np.log(rho)
            density = backend.log_kernel_mean(there, weight, backend.asarray(seeds), axes)
            found[0, k] = (width - backend.to_numpy(density)).reshape(scene.seeds.shape)
            if self.outliers[min(k, 1)]:
                uniform = backend.log_kernel_mean(places, weight, backend.asarray(seeds[:axes]), axes)
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

    def _width(self, scene: Scene, mine: np.ndarray) -> np.ndarray:
        """rho(x) for the label with these seeds.

        The floor: positions are known to a pixel, and a pixel of a stroke is no surer of its own colour than
        its neighbour is. Without it the width would be 0 on the strokes and their density infinite.
        """
        from scipy.ndimage import distance_transform_edt

        away = np.ones(scene.seeds.shape, bool)
        away.ravel()[mine] = False
        distance = distance_transform_edt(away, sampling=scene.spacing)
        pixel = np.prod(scene.spacing) ** (1 / len(scene.spacing))
        return (self.rho_factor * np.maximum(distance, pixel)).astype(np.float32)
