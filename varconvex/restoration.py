"""Denoising in one call, from an image to an image of the same shape. For gaps and histories solve the energies.

Integers are divided by the largest value of their type, as in scikit-image; masks, and images of a camera of fewer bits
(12 bits in uint16, 8 bits in int64), by the largest value of their kind, with a warning. Floats are not scaled.
"""

from typing import Any

from .backends import ArrayBackend
from .energies.mumford_shah import MumfordShah
from .energies.rof import ROF
from .energies.tv_l1 import TVL1
from .images import intensities
from .keywords import known_keywords
from .options import TV
from .solvers.pdhg import pdhg
from .solvers.solution import Callback
from .solvers.stationary import stationary


@known_keywords
def denoise_rof(
    image: Any,
    alpha: float = 0.1,
    *,
    huber: float = 0.0,
    channel_axis: int | None = None,
    rgba: bool | None = None,
    weight: Any = None,
    spacing: Any = None,
    tv: TV = "isotropic",
    tol: float = 1e-3,
    max_iter: int = 10_000,
    time_limit: float | None = None,
    callback: Callback = None,
    backend: str | ArrayBackend | None = None,
) -> Any:
    """Remove Gaussian noise by total variation (Rudin, Osher, Fatemi), or its Huber form.

    Parameters
    ----------
    image : (*spatial) array, or with channels along `channel_axis`
        2-D or 3-D.
    alpha : float
        Weight of the total variation. Bigger is smoother; about the noise's standard deviation is a good start; 0
        leaves the image unchanged.
    huber : float
        Slope below which the cost of gradients is quadratic: bigger makes fewer steps of slopes; 0 is total variation.
    channel_axis, weight, spacing, tv
        As in `ROF`.
    rgba : bool, optional
        Meaning of a fourth channel: True leaves it out as transparency, False takes it as data.
    tol, max_iter, time_limit, callback, backend
        As in `pdhg`.

    Returns
    -------
    array of the image's shape, float32

    Raises
    ------
    InvalidImageError, InvalidParameterError, UnsupportedTypeError, BackendUnavailableError
        If an argument is of a wrong kind, shape or range, or the backend cannot run here.

    Warns
    -----
    ConvergenceWarning, DataTermWarning

    References
    ----------
    Rudin, Osher, Fatemi, Physica D 60, 1992, doi:10.1016/0167-2789(92)90242-F

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import denoise_rof
    >>> noisy = np.eye(40) + np.random.default_rng(0).normal(size=(40, 40)) / 10
    >>> denoise_rof(noisy, 0.2).shape
    (40, 40)
    """
    energy = ROF(
        intensities(image, channel_axis, rgba), alpha, huber=huber, channel_axis=channel_axis, weight=weight,
        spacing=spacing, tv=tv,
    )  # fmt: skip
    return pdhg(energy, tol=tol, max_iter=max_iter, time_limit=time_limit, callback=callback, backend=backend).u


@known_keywords
def denoise_tv_l1(
    image: Any,
    alpha: float = 1.0,
    *,
    channel_axis: int | None = None,
    rgba: bool | None = None,
    weight: Any = None,
    spacing: Any = None,
    tv: TV = "isotropic",
    tol: float = 1e-3,
    max_iter: int = 10_000,
    time_limit: float | None = None,
    callback: Callback = None,
    backend: str | ArrayBackend | None = None,
) -> Any:
    """Remove outliers, or structures below a size, by total variation with an absolute data term.

    Parameters
    ----------
    image : (*spatial) array, or with channels along `channel_axis`
        2-D or 3-D.
    alpha : float
        Weight of the total variation, in pixels: discs of a radius below 2 alpha vanish and bigger ones stay, whatever
        their contrast. 0 leaves the image unchanged.
    channel_axis, rgba, weight, spacing, tv, tol, max_iter, time_limit, callback, backend
        As in `denoise_rof`.

    Returns
    -------
    array of the image's shape, float32

    References
    ----------
    Chan, Esedoglu, SIAM J. Appl. Math. 65, 2005, doi:10.1137/040604297

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import denoise_tv_l1
    >>> image = np.zeros((40, 40))
    >>> image[10, 10] = 1
    >>> bool(denoise_tv_l1(image).max() < 0.01)
    True
    """
    energy = TVL1(
        intensities(image, channel_axis, rgba), alpha, channel_axis=channel_axis, weight=weight, spacing=spacing, tv=tv
    )
    return pdhg(energy, tol=tol, max_iter=max_iter, time_limit=time_limit, callback=callback, backend=backend).u


@known_keywords
def denoise_mumford_shah(
    image: Any,
    alpha: float = 20.0,
    *,
    jump: float = 0.1,
    channel_axis: int | None = None,
    rgba: bool | None = None,
    weight: Any = None,
    spacing: Any = None,
    tol: float = 5e-5,
    max_iter: int = 10_000,
    time_limit: float | None = None,
    callback: Callback = None,
    backend: str | ArrayBackend | None = None,
) -> Any:
    """Smooth within edges, not across them: a stationary point of the piecewise smooth Mumford-Shah functional.

    Parameters
    ----------
    image : (*spatial) array, or with channels along `channel_axis`
        2-D or 3-D; the defaults are for intensities from 0 to 1.
    alpha : float, more than 0
        Weight of the squared gradient. Bigger is flatter between edges.
    jump : float, more than 0
        Cost of a pixel of edge. Bigger leaves fewer edges.
    channel_axis, rgba, weight, spacing
        As in `denoise_rof`.
    tol : float
        Mean change of a pixel in one iteration, as a share of the image's range, to stop at.
    max_iter, time_limit, callback, backend
        As in `stationary`, which also gives the edges.

    Returns
    -------
    array of the image's shape, float32
        Not a global minimiser: the functional is not convex, and no bound is known.

    References
    ----------
    Strekalovskiy, Cremers, ECCV 2014, doi:10.1007/978-3-319-10605-2_9

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import denoise_mumford_shah
    >>> image = np.tile(np.linspace(0, 0.2, 40) + (np.arange(40) > 20), (40, 1))
    >>> bool(abs(denoise_mumford_shah(image) - image).max() < 0.05)
    True
    """
    energy = MumfordShah(
        intensities(image, channel_axis, rgba),
        alpha,
        jump=jump,
        channel_axis=channel_axis,
        weight=weight,
        spacing=spacing,
    )
    return stationary(
        energy, tol=tol, max_iter=max_iter, time_limit=time_limit, callback=callback, backend=backend
    ).u  # fmt: skip
