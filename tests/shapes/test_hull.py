"""The hull of the largest component, and its promises on random targets."""

import numpy as np
import pytest

from varconvex.errors import ScribbleConflictError
from varconvex.geometry.certify import certify_convexity, fill_hull
from varconvex.shapes.hull import HullShape


@pytest.fixture(scope="module")
def bitten():
    """A disc with a bite, and the disc."""
    rows, columns = np.mgrid[:60, :70]
    disc = np.hypot(rows - 30, columns - 34) < 22
    return disc & ~((np.abs(rows - 30) < 4) & (columns > 40)), disc


def test_the_hull_is_that_of_the_largest_component(bitten):
    dented, _ = bitten
    target = dented.copy()
    target[1:4, 60:66] = True
    fitted = HullShape().fit(target)
    assert np.array_equal(fitted.mask, fill_hull(dented))
    assert fitted.certificate
    assert fitted.n_filled == np.count_nonzero(fill_hull(dented) & ~dented)
    inside = np.zeros_like(target)
    inside[2, 62] = True
    assert np.array_equal(HullShape().fit(target, inside=inside).mask, target & ~dented)
    assert not HullShape().fit(np.zeros((5, 6))).mask.any()


def test_hulls_of_random_targets_keep_their_promise():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        size = tuple(rng.integers(1, 9, 2 + seed % 2))
        inside, outside = rng.random((2, *size)) < 0.05
        try:
            fitted = HullShape().fit(rng.random(size), inside=inside, outside=outside & ~inside)
        except ScribbleConflictError:
            continue
        assert certify_convexity(fitted.mask) or not fitted.mask.any()
        assert not (inside & ~fitted.mask).any()
        assert not (outside & ~inside & fitted.mask).any()
