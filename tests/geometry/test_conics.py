"""Ellipses and rectangles: parameters there and back, search against known truth, separation against sampling."""

import numpy as np
import pytest

from varconvex import EllipseShape, RectangleShape
from varconvex.errors import ScribbleConflictError
from varconvex.geometry.certify import fill_hull
from varconvex.geometry.conics import conic_of, ellipse_pixels, is_ellipse, rectangle_pixels, sides_of
from varconvex.geometry.enclosing import enclosing_ellipse, enclosing_rectangles, five_of_conic, five_of_sides

FIVE = np.array([41.3, 52.8, 12.2, 27.9, 0.7])
SHAPE = (90, 110)


def drawn(five, round_):
    """The set by its formula, in floating point."""
    y, x = np.indices(SHAPE)
    along = np.cos(five[4]) * (y - five[0]) + np.sin(five[4]) * (x - five[1])
    across = np.cos(five[4]) * (x - five[1]) - np.sin(five[4]) * (y - five[0])
    u, v = np.abs(along) / five[2], np.abs(across) / five[3]
    return u * u + v * v <= 1 if round_ else np.maximum(u, v) <= 1


def test_integers_are_the_parameters():
    conic, sides = conic_of(FIVE, SHAPE), sides_of(FIVE)
    assert np.array_equal(ellipse_pixels(conic, SHAPE), drawn(FIVE, True))
    assert (rectangle_pixels(sides, SHAPE) ^ drawn(FIVE, False)).sum() <= 2  # an angle in 1/4096
    y, x, r, s, angle = five_of_conic(conic)
    np.testing.assert_allclose([y, x, *sorted((r, s))], [41.3, 52.8, 12.2, 27.9], rtol=1e-9)
    np.testing.assert_allclose(five_of_sides(sides)[:4], FIVE[:4], atol=0.6)
    turned = angle if r < s else angle + np.pi / 2
    assert np.cos(2 * (turned - 0.7)) == pytest.approx(1)


@pytest.mark.parametrize("round_", [True, False])
def test_a_clean_set_is_found_and_measured(round_):
    shape = EllipseShape() if round_ else RectangleShape()
    for seed in range(6):
        rng = np.random.default_rng(seed)
        five = np.array(
            [rng.uniform(30, 60), rng.uniform(35, 75), rng.uniform(8, 20), rng.uniform(8, 25), rng.uniform(0, 3)]
        )
        truth = drawn(five, round_)
        fitted = shape.fit(truth ^ (rng.random(SHAPE) < 0.2 * (seed % 2)), random_state=seed)
        wrong = 0.004 if seed % 2 == 0 else 0.05
        assert (fitted.mask ^ truth).sum() <= wrong * truth.sum() + 2
        found = fitted.parameters
        assert found["half_length"] >= found["half_width"]
        assert (found["row"], found["column"]) == pytest.approx(tuple(five[:2]), abs=0.6)
        assert found["half_length"] == pytest.approx(max(five[2:4]), abs=1.2)
        half = fitted.rasterize((45, 55))
        assert half.sum() == pytest.approx(truth.sum() / 4, rel=0.06)


def test_ellipses_part_what_can_be_parted():
    parted = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        inside, outside = np.zeros((2, 30, 34), bool)
        inside[tuple(rng.integers(8, 24, (2, 3)))] = True
        outside[tuple(rng.integers(0, 30, (2, 12)))] = True
        outside &= ~inside
        try:
            conic = enclosing_ellipse(inside, outside)
        except ScribbleConflictError:
            # No ellipse of many parts them either.
            for _ in range(200):
                five = [*rng.uniform(6, 26, 2), *rng.uniform(1, 30, 2), rng.uniform(0, 3.2)]
                some = ellipse_pixels(conic_of(np.array(five), inside.shape), inside.shape)
                assert (inside & ~some).any() or (outside & some).any()
            continue
        parted += 1
        found = ellipse_pixels(conic, inside.shape)
        assert is_ellipse(conic)
        assert found[inside].all()
        assert not found[outside].any()
        assert np.array_equal(fill_hull(found), found)
    assert 3 < parted < 20


def test_rectangles_part_what_can_be_parted():
    inside, outside = np.zeros((2, 20, 20), bool)
    inside[5, 5], inside[14, 14], outside[5, 14] = True, True, True
    for sides in enclosing_rectangles(inside, outside):
        found = rectangle_pixels(sides, inside.shape)
        assert found[inside].all()
        assert not found[outside].any()
    outside[9, 9] = True
    with pytest.raises(ScribbleConflictError, match="in every direction 1 background"):
        enclosing_rectangles(inside, outside)
