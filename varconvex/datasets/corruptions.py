"""The eight corruptions of the paper's Table 2, by ImageNet-C's definitions and constants at severities 1 to 5.

They are computed by `imagecorruptions-imaug`, a maintained port of the authors' code; this module makes the noise
repeatable. Unlike in ImageNet-C, photographs are corrupted at their own size.

D. Hendrycks, T. Dietterich, *Benchmarking neural network robustness to common corruptions and perturbations*, ICLR
2019, arXiv:1903.12261.
"""

import threading

import numpy as np

from .. import checks
from ..errors import InvalidImageError, MissingExtraError
from ..keywords import known_keywords

CORRUPTIONS = (
    "spatter",
    "contrast",
    "brightness",
    "impulse_noise",
    "shot_noise",
    "gaussian_noise",
    "defocus_blur",
    "glass_blur",
)
"""In the order of the paper's columns."""

_SMALLEST = 32
"""Fewest pixels along a side that the definitions allow."""

_IMPULSES = (0.03, 0.06, 0.09, 0.17, 0.27)
"""Share of the values that become black or white, by severity."""

_one_at_a_time = threading.Lock()


@known_keywords
def corrupt(
    image: np.ndarray, name: str, severity: int = 5, *, random_state: int | np.random.Generator | None = None
) -> np.ndarray:
    """A corrupted copy of a photograph.

    Parameters
    ----------
    image : (H, W, 3) uint8
        sRGB, at least 32 pixels a side.
    name : one of `CORRUPTIONS`
    severity : int from 1 to 5
        Bigger is worse; the paper's table has 5.
    random_state : int or numpy.random.Generator, optional
        The same seed gives the same noise.

    Returns
    -------
    (H, W, 3) uint8

    Raises
    ------
    InvalidParameterError, InvalidImageError
        If something passed is not what it has to be.
    MissingExtraError
        If the package that computes them is not installed.

    Examples
    --------
    >>> noisy = corrupt(photograph, "gaussian_noise", 5)  # doctest: +SKIP
    """
    checks.one_of("name", name, CORRUPTIONS)
    severity = checks.whole_number("severity", severity, least=1)
    if severity > 5:
        checks.one_of("severity", str(severity), tuple("12345"))
    image = checks.host_array("image", image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3 or min(image.shape[:2]) < _SMALLEST:
        raise InvalidImageError(
            f"a photograph of 8 bits with three channels, at least {_SMALLEST} pixels a side, was expected; got "
            f"{image.dtype} of shape {image.shape}. Convert or enlarge it."
        )
    try:
        from imagecorruptions import corrupt as compute
    except ImportError as error:
        raise MissingExtraError(
            f"corruptions need imagecorruptions, which cannot be imported ({error}): pip install imagecorruptions-imaug"
        ) from error
    seed = int(checks.generator(random_state).integers(2**31))
    # The definitions use the global generators of NumPy and Numba: both are seeded, and NumPy's is restored.
    with _one_at_a_time:
        before = np.random.get_state()  # noqa: NPY002
        try:
            np.random.seed(seed)  # noqa: NPY002
            if name == "impulse_noise":  # its generator in the package has no seed
                from skimage.util import random_noise

                noisy = random_noise(image / 255.0, mode="s&p", amount=_IMPULSES[severity - 1], rng=seed)
                return (noisy * 255).astype(np.uint8)
            options = {"seed": seed} if name == "glass_blur" else {}
            return compute(image.copy(), severity=severity, corruption_name=name, **options)
        finally:
            np.random.set_state(before)  # noqa: NPY002
