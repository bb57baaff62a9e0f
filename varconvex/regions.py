"""Segmentation by the classic models in one call, from an image (or costs) to a label image.

Images are scaled by their own range to [0, 1], so that the defaults hold for any dtype. `segment`, which fits its model
to scribbles, is in `api.py`.
"""

from typing import Any

import numpy as np

from . import checks
from .backends import ArrayBackend, get_backend
from .edges import contrast_weight
from .energies.chan_vese import ChanVese
from .energies.geodesic_contours import GeodesicContours
from .energies.potts import Potts
from .errors import InvalidParameterError
from .images import unit_image
from .keywords import known_keywords
from .options import TV, EdgeWeight, Relaxation
from .solvers.pdhg import pdhg
from .solvers.solution import Callback, Solution

_COARSEST = 64
"""A grid whose shorter side is below twice this is not coarsened."""

_LLOYD = 20
"""Rounds of K-means from which the means start, on the coarsest grid."""


@known_keywords
def segment_chan_vese(
    image: Any,
    n_regions: int = 2,
    alpha: float = 0.25,
    *,
    means: Any = None,
    channel_axis: int | None = None,
    rgba: bool | None = None,
    weight: Any = None,
    spacing: Any = None,
    tv: TV = "isotropic",
    relaxation: Relaxation = "zach",
    tol: float = 1e-3,
    max_rounds: int = 20,
    max_iter: int = 10_000,
    backend: str | ArrayBackend | None = None,
) -> np.ndarray:
    """Divide an image into regions of one colour each, with short boundaries (Chan and Vese), by convex relaxation.

    Labels and means are fitted alternately, until re-estimating the means lowers the energy by less than `tol`, first
    on coarse grids. For given means the labels are optimal up to a gap; the means are a local optimum, as in K-means.

    Parameters
    ----------
    image : (*spatial) array, or with channels along `channel_axis`
        2-D or 3-D; scaled by its own range to [0, 1].
    n_regions : int, at least 2
        Number of colours.
    alpha : float
        Weight of the boundaries (scikit-image's `mu`). Bigger is smoother; 0 is K-means.
    means : (K,) or (K, C) array, optional
        Colours to start from, in [0, 1]; by default those of K-means.
    channel_axis : int or None
        Where the channels are; None if there are none.
    rgba : bool, optional
        Meaning of a fourth channel: True leaves it out as transparency, False takes it as data.
    weight, spacing, tv, relaxation
        As in `Potts`; `contrast_weight(image)` is such a weight.
    tol : float
        Relative gap of the labels, and relative fall of the energy below which the means are final.
    max_rounds : int
        Most rounds on a grid.
    max_iter, backend
        As in `pdhg`.

    Returns
    -------
    (*spatial) int array
        Labels from 0 on, from the darkest region to the brightest. A region may be empty.

    Errors and warnings are those of `denoise_rof`.

    References
    ----------
    Chan, Vese, IEEE Trans. Image Process. 10, 2001, doi:10.1109/83.902291
    Chan, Esedoglu, Nikolova, SIAM J. Appl. Math. 66, 2006, doi:10.1137/040615286

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import segment_chan_vese
    >>> disc = np.hypot(*np.mgrid[-20:21, -20:21]) < 12
    >>> noisy = disc + np.random.default_rng(0).normal(size=disc.shape) / 4
    >>> bool((segment_chan_vese(noisy, alpha=0.1) == disc).mean() > 0.98)
    True
    """
    n_regions = checks.whole_number("n_regions", n_regions, least=2, most=2**16)
    max_rounds, tol = checks.whole_number("max_rounds", max_rounds, least=1), checks.real_number("tol", tol)
    layers = np.moveaxis(unit_image(image, channel_axis, rgba), -1, 0)
    if means is not None:
        means = _checked_means(means, n_regions, len(layers))
    if weight is not None:
        weight = checks.weight(weight, layers.shape[1:])
    solver, halve = get_backend(backend, image), get_backend("numba").halve
    ndim = layers.ndim - 1
    grids = [(layers, weight, checks.real_number("alpha", alpha))]
    while min(grids[-1][0].shape[1:]) >= 2 * _COARSEST:
        fine, factor, strength = grids[-1]
        factor = None if factor is None else halve(np.asarray(factor, np.float32), ndim)
        grids.append((halve(fine, ndim), factor, strength / 2))
    labels = None
    for fine, factor, strength in reversed(grids):
        pixels = np.moveaxis(fine, 0, -1)
        if means is None:
            means = _quantile_means(pixels, n_regions)
        means = np.reshape(means, (n_regions, -1))
        energy = ChanVese(pixels, means, strength, weight=factor, spacing=spacing, tv=tv, relaxation=relaxation)
        if labels is None:
            for _ in range(_LLOYD):
                energy = energy.refit(np.stack(energy.costs).argmin(axis=0))
        energy, labels = _alternate(energy, solver, max_rounds, tol=tol, max_iter=max_iter)
        means = energy.means
    order = means.sum(axis=1).argsort(kind="stable")
    return order.argsort().astype(np.min_scalar_type(n_regions - 1))[labels]


def _checked_means(means: Any, n_regions: int, channels: int) -> np.ndarray:
    """Colours of the regions as an array (K, C), or an InvalidParameterError."""
    means = checks.host_array("means", means)
    checks.finite("means", means, "Pass the regions' colours.")
    if means.shape not in ((n_regions, channels), *([(n_regions,)] if channels == 1 else [])):
        raise InvalidParameterError(
            f"means must hold {n_regions} colours of {channels} channel(s), shape {(n_regions, channels)}; got shape "
            f"{means.shape}. Pass one colour a region."
        )
    return means


def _alternate(energy: ChanVese, backend: ArrayBackend, max_rounds: int, **options: Any) -> tuple[ChanVese, np.ndarray]:
    """Labels for the means and means for the labels, alternately, while the energy falls."""
    best, labels, least = energy, np.zeros(energy.shape[1:], np.uint8), np.inf
    solution: Solution | None = None
    for _ in range(max_rounds):
        solution = pdhg(energy, backend=backend, start=solution, **options)
        found = backend.to_numpy(solution.labels)
        refitted = energy.refit(found)
        value = refitted.value(backend, found)
        if value >= least:
            break
        best, labels, least = refitted, found, value
        if solution.energy - value <= options["tol"] * value:
            break
        energy = refitted
    return best, labels


def _quantile_means(pixels: np.ndarray, count: int) -> np.ndarray:
    """(count, C) means of equally many pixels each, sorted along the first principal component of the colours."""
    flat = pixels.reshape(-1, pixels.shape[-1]).astype(np.float64)
    centred = flat - flat.mean(axis=0)
    direction = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    along = np.argsort(centred @ direction, kind="stable")
    parts = [flat[part] if len(part) else flat for part in np.array_split(along, count)]
    return np.stack([part.mean(axis=0) for part in parts])


@known_keywords
def segment_geodesic_contours(
    image: Any,
    inside: Any,
    outside: Any = None,
    alpha: float = 1.0,
    *,
    balloon: float = 0.0,
    cost: Any = None,
    edge_weight: Any = "contrast",
    channel_axis: int | None = None,
    rgba: bool | None = None,
    spacing: Any = None,
    tv: TV = "isotropic",
    tol: float = 1e-3,
    max_iter: int = 10_000,
    time_limit: float | None = None,
    callback: Callback = None,
    backend: str | ArrayBackend | None = None,
) -> np.ndarray:
    """Cut out an object along the image's edges: the shortest contour between two seeds (geodesic active contours).

    The result is the global minimum, so no initial contour is needed. A balloon or a region term helps where the edges
    of the object alone are too long.

    Parameters
    ----------
    image : (*spatial) array, or with channels along `channel_axis`
        2-D or 3-D; scaled by its own range to [0, 1]. Three channels are taken as sRGB.
    inside : (*spatial) bool array
        Pixels of the object.
    outside : (*spatial) bool array, optional
        Pixels of the background; by default the image's border, without the pixels of `inside`.
    alpha : float
        Weight of the contour against balloon and region term. Bigger is shorter; without either it has no effect.
    balloon : float
        Reward for each pixel of the object. Bigger expands it to farther edges; negative shrinks it.
    cost : (*spatial) array, optional
        Region term: cost of the object minus cost of the background.
    edge_weight : "contrast", None, or (*spatial) array
        The metric g(x): low at the image's edges, 1 everywhere, or as given (>= 0).
    channel_axis, rgba, spacing, tv, tol, max_iter, time_limit, callback, backend
        As in `denoise_rof`.

    Returns
    -------
    (*spatial) bool array

    References
    ----------
    Caselles, Kimmel, Sapiro, Int. J. Comput. Vis. 22, 1997, doi:10.1023/A:1007979827043

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import segment_geodesic_contours
    >>> distance = np.hypot(*np.mgrid[-30:31, -30:31])
    >>> mask = segment_geodesic_contours(distance < 15, distance < 8)
    >>> bool((mask == (distance < 15)).mean() > 0.97)
    True
    """
    pixels = unit_image(image, channel_axis, rgba)
    shape = pixels.shape[:-1]
    seeds = checks.region("inside", inside, shape)
    if outside is None:
        excluded = ~seeds
        excluded[(slice(1, -1),) * len(shape)] = False
    else:
        excluded = checks.region("outside", outside, shape)
    if (seeds & excluded).any():
        raise InvalidParameterError(
            f"inside and outside must not share pixels; {int((seeds & excluded).sum())} are in both. Take them out of "
            "one."
        )
    if isinstance(edge_weight, str):
        checks.one_of("edge_weight", edge_weight, EdgeWeight)
        edge_weight = contrast_weight(pixels, spacing=spacing, rgba=False)
    energy = GeodesicContours(
        np.zeros(shape, np.float32) if cost is None else cost,
        alpha,
        weight=np.ones(shape, np.float32) if edge_weight is None else edge_weight,
        balloon=balloon,
        lower=seeds.astype(np.float32),
        upper=(~excluded).astype(np.float32),
        spacing=spacing,
        tv=tv,
    )
    solver = get_backend(backend, image)
    solution = pdhg(energy, tol=tol, max_iter=max_iter, time_limit=time_limit, callback=callback, backend=solver)
    return solver.to_numpy(solution.mask)


@known_keywords
def segment_potts(
    cost: Any,
    alpha: float,
    *,
    relaxation: Relaxation = "zach",
    weight: Any = None,
    lower: Any = 0.0,
    spacing: Any = None,
    tv: TV = "isotropic",
    tol: float = 1e-3,
    max_iter: int = 10_000,
    time_limit: float | None = None,
    callback: Callback = None,
    backend: str | ArrayBackend | None = None,
) -> Any:
    """Label images for known costs of K labels, with short boundaries (Potts' model).

    Parameters
    ----------
    cost : (K, *spatial) float array, K >= 2
        Cost of each label per pixel.
    alpha, relaxation, weight, lower, spacing, tv
        As in `Potts`.
    tol, max_iter, time_limit, callback, backend
        As in `pdhg`.

    Returns
    -------
    (*spatial) int array
        Index of each pixel's label.

    References
    ----------
    Chambolle, Cremers, Pock, SIAM J. Imaging Sci. 5, 2012, doi:10.1137/110856733

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import segment_potts
    >>> segment_potts(np.random.default_rng(0).random((3, 8, 9)), 0.1).shape
    (8, 9)
    """
    energy = Potts(cost, alpha, relaxation=relaxation, weight=weight, lower=lower, spacing=spacing, tv=tv)
    return pdhg(energy, tol=tol, max_iter=max_iter, time_limit=time_limit, callback=callback, backend=backend).labels
