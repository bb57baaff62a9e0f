"""Extreme numbers at every public door: finite results whose bound holds, or an error that names the parameter."""

import contextlib
import math
import warnings

import numpy as np
import pytest

from varconvex import (
    ROF,
    TVL1,
    GaussianMixtureLikelihood,
    HistogramLikelihood,
    MumfordShah,
    NieuwenhuisCremersLikelihood,
    Potts,
    TwoPhase,
    contrast_weight,
    denoise_mumford_shah,
    denoise_rof,
    denoise_tv_l1,
    pdhg,
    project,
    segment,
    segment_chan_vese,
    segment_geodesic_contours,
    stationary,
)
from varconvex.errors import ConvergenceWarning, DataTermWarning, VarconvexError

COST = np.array([[-1.0, 1.0, -1.0]])
EXTREME = [1e-310, 1e-40, 1e-20, 1e15, 1.9e19, 1e20, 1e30, 1e40, 1e200, 1e308]


def quietly(call):
    """The call's result, or None where it raised an error of ours; nothing but a ConvergenceWarning may be warned."""
    with warnings.catch_warnings(), contextlib.suppress(VarconvexError):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return call()
    return None


def check_bound(energy, minimum=None):
    """The values of a solution, which are finite and on both sides of the minimum."""
    solution = pdhg(energy, max_iter=300)
    assert np.isfinite(solution.u).all()
    assert -math.inf < solution.dual <= solution.primal < math.inf
    if minimum is not None:
        assert solution.dual <= minimum <= solution.primal


@pytest.mark.parametrize("size", EXTREME)
def test_energies(size):
    weight, target = np.array([[size, 1.0, 1.0]]), np.ones((1, 3))
    far = min(size, 1e300) * target
    # The minimum is -1 (one object) or -2 (two): which one depends on what a boundary costs.
    quietly(lambda: check_bound(TwoPhase(COST, 1.0, weight=weight)))
    quietly(lambda: check_bound(TwoPhase(COST, size), -1.0 if size > 1 else -2 + 2 * size))
    quietly(lambda: check_bound(TwoPhase(size * COST, 1.0)))
    quietly(lambda: check_bound(TwoPhase(COST, 1.0, quadratic_weight=size, target=target), -1.0 if size > 4 else None))
    quietly(lambda: check_bound(TwoPhase(COST, 1.0, quadratic_weight=1.0, target=far)))
    quietly(lambda: check_bound(Potts(np.stack([0 * COST, COST, -COST]), size)))
    quietly(lambda: check_bound(ROF(COST, size), 4 / 3 if size > 1 else None))
    quietly(lambda: check_bound(ROF(size * COST, 1.0)))
    quietly(lambda: check_bound(ROF(COST, 1.0, huber=size)))
    quietly(lambda: check_bound(ROF(COST, 1.0, lower=-size, upper=size)))
    quietly(lambda: check_bound(TVL1(COST, size), 2.0 if size > 1 else None))
    for energy in ({"alpha": size}, {"jump": size}, {"upper": size}):
        found = quietly(lambda given=energy: stationary(MumfordShah(COST, **given), max_iter=100))
        assert found is None or (np.isfinite(found.u).all() and math.isfinite(found.energy))


def test_the_minimum_beside_a_strong_quadratic_term_is_not_missed():
    solution = pdhg(TwoPhase(COST, 1.0, quadratic_weight=1e20, target=np.ones((1, 3))), max_iter=300)
    assert solution.dual <= -1 <= solution.primal


@pytest.mark.parametrize("size", [1e-300, 1e-40, 1e-20, 2.0, 1e20, 1e300])
def test_only_ratios_of_the_spacing_matter(size, rng):
    image = rng.random((9, 10))
    seed = np.zeros(image.shape, bool)
    seed[4, 5] = True
    for spacing in ((1.0, 1.0), (1.0, 3.0)):
        scaled = tuple(step * size for step in spacing)
        one, two = (pdhg(TwoPhase(image - 0.5, 0.1, spacing=s)).u for s in (spacing, scaled))
        np.testing.assert_allclose(one, two, atol=1e-4)
        one, two = (denoise_rof(image, 0.1, spacing=s) for s in (spacing, scaled))
        np.testing.assert_allclose(one, two, atol=1e-4)
        for door in (
            lambda s: denoise_tv_l1(image, 0.3, spacing=s),
            lambda s: denoise_mumford_shah(image, spacing=s),
            lambda s: segment_chan_vese(image, alpha=0.1, spacing=s),
            lambda s: segment_geodesic_contours(image, seed, spacing=s),
            lambda s: contrast_weight(image, spacing=s),
            lambda s: project(image > 0.5, "hull", spacing=s).mask,
        ):
            np.testing.assert_allclose(np.asarray(door(spacing), float), door(scaled), atol=2e-2)


@pytest.mark.parametrize("size", EXTREME)
def test_parameters_of_functions(size, rng):
    image, seeds = rng.random((9, 10)), np.zeros((9, 10), int)
    seeds[1], seeds[7] = 1, 2
    for door in (
        lambda: segment([[0.0, 1.0, 0.4]], [[1, 0, 2]], size).probability,
        lambda: denoise_rof(image, size),
        lambda: denoise_rof(image * min(size, 1e300), 0.1),
        lambda: denoise_tv_l1(image, size),
        lambda: denoise_mumford_shah(image, size),
        lambda: denoise_mumford_shah(image, jump=size),
        lambda: segment_chan_vese(image, alpha=size),
        lambda: segment_chan_vese(image, means=[0.0, size]),
        lambda: segment_geodesic_contours(image, seeds == 2, balloon=size),
        lambda: contrast_weight(image, beta=size),
        lambda: contrast_weight(image, scale=size),
        lambda: contrast_weight(image[..., None] * min(size, 1e300)),
        lambda: HistogramLikelihood(sigma=size),
        lambda: GaussianMixtureLikelihood(reg_covar=size),
        lambda: NieuwenhuisCremersLikelihood(sigma=size),
        lambda: NieuwenhuisCremersLikelihood(rho_factor=size),
        lambda: NieuwenhuisCremersLikelihood(detour=size),
        lambda: NieuwenhuisCremersLikelihood(clip=size),
    ):
        found = quietly(door)
        if hasattr(found, "costs"):
            found = quietly(lambda part=found: segment(image, seeds, likelihood=part, max_iter=100).probability)
        assert found is None or np.isfinite(found).all()


@pytest.mark.parametrize(
    ("levels", "dtype", "unit"),
    [
        (256, np.int64, 255),
        (256, np.uint16, 255),
        (4096, np.uint16, 4095),
        (4096, np.int16, 4095),
        (65536, np.int32, 65535),
        (2, np.uint8, 1),
        (2, np.int64, 1),
    ],
)
def test_integers_have_the_unit_of_their_kind_and_it_is_said(rng, levels, dtype, unit):
    image = rng.integers(0, levels, (12, 14))
    image[0, 0] = levels - 1
    for door in (denoise_rof, denoise_tv_l1, denoise_mumford_shah):
        with pytest.warns(DataTermWarning, match=f"largest is {levels - 1}, so it is divided by {unit}"):
            found = door(image.astype(dtype))
        np.testing.assert_allclose(found, door(image / unit), atol=1e-5)


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 255), (np.uint16, 65535), (np.int16, 32767)])
def test_integers_that_fill_their_type_are_divided_by_its_largest(rng, dtype, most):
    image = rng.integers(0, most + 1, (12, 14)).astype(dtype)
    np.testing.assert_allclose(denoise_rof(image), denoise_rof(image / most), atol=1e-5)
