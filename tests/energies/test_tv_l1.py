"""TV-L1 against its scale threshold, maximum flow and the laws of contrast."""

import numpy as np
import pytest
from oracles import minimum_cut

from varconvex import TVL1, denoise_tv_l1, pdhg

DISTANCE = np.hypot(*np.mgrid[-24:25, -24:25])


@pytest.mark.parametrize(("alpha", "stays"), [(3.5, True), (6.0, False)])
def test_a_disc_stays_or_vanishes_by_its_radius(backend, alpha, stays):
    disc = (DISTANCE < 10).astype(float)  # the threshold is alpha = 5
    u = backend.to_numpy(pdhg(TVL1(disc, alpha), tol=1e-3, backend=backend).u)
    if stays:
        assert (u[DISTANCE < 8] > 0.95).all()
    assert (u[DISTANCE > 12] < 0.05).all()
    assert stays or (u < 0.05).all()


@pytest.mark.parametrize("seed", range(4))
def test_of_a_mask_it_is_a_minimum_cut(backend, seed):
    mask = np.random.default_rng(seed).random((20, 17)) < 0.5
    cost = np.where(mask, -1, 1)
    solution = pdhg(TVL1(mask, 1.0, tv="anisotropic"), tol=1e-5, backend=backend)
    assert solution.converged
    least = mask.sum() + minimum_cut(cost, 1)
    assert solution.dual <= least
    assert solution.primal == pytest.approx(least, rel=2e-5)


def test_contrast_plays_no_part():
    rng = np.random.default_rng(1)
    image = (DISTANCE < 10) + 0.3 * (rng.random(DISTANCE.shape) < 0.1)
    one, two = (pdhg(TVL1(image * s + 7, 1.0), tol=1e-4) for s in (1.0, 1e4))
    assert two.primal == pytest.approx(1e4 * one.primal, rel=3e-4)


def test_outliers_go_and_the_disc_stays():
    rng = np.random.default_rng(0)
    disc = (DISTANCE < 12).astype(float)
    noisy = disc.copy()
    hit = rng.random(disc.shape) < 0.1
    noisy[hit] = rng.random(hit.sum()) > 0.5
    u = denoise_tv_l1(noisy, 1.0)
    assert np.abs(u - disc).mean() < 0.25 * np.abs(noisy - disc).mean()


def test_colours_share_their_edges():
    rng = np.random.default_rng(0)
    image = np.stack([DISTANCE < 12, DISTANCE < 12, DISTANCE > 50], axis=-1)
    image = image + 0.1 * rng.normal(size=image.shape)
    solution = pdhg(TVL1(image, 1.0, channel_axis=-1), tol=1e-3)
    assert solution.converged
    assert solution.u.shape == image.shape
    volume = pdhg(TVL1(rng.random((5, 6, 7)), 0.4, spacing=(2, 1, 1)), tol=1e-3)
    assert volume.converged
