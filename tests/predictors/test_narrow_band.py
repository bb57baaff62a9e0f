"""Colours on both sides of an outline against densities computed pixel by pixel; what a band believes and where."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from varconvex.inputs import blank_scene
from varconvex.predictors.appearance.local import _DEVIATION, local_log_odds
from varconvex.predictors.narrow_band import Band

Y, X = np.mgrid[:48, :64]
DISC = np.hypot(Y - 24, X - 32) < 15


def scene_of(image):
    scene = blank_scene(image, channel_axis=-1 if image.ndim == 3 else None)
    return scene.with_seeds(scene.seeds, (1, 2))


@pytest.mark.parametrize("channels", [1, 3])
def test_log_odds_are_those_of_weighted_gaussians(channels, rng):
    colours = (0.4 + 0.2 * DISC[..., None] + 0.05 * rng.standard_normal((*DISC.shape, channels))).astype(np.float32)
    away = np.abs(np.hypot(Y - 24, X - 32) - 15)
    sure = DISC & (away > 3), ~DISC & (away > 3)
    where = away < 3
    found = local_log_odds(colours, sure, 6.0, 1.0, where)
    places = np.argwhere(where)
    for k in range(0, len(places), 17):
        weight = np.exp(-((Y - places[k, 0]) ** 2 + (X - places[k, 1]) ** 2) / 72)
        densities = []
        for mask in sure:
            points, share = colours[mask].astype(float), weight[mask]
            mean = np.average(points, axis=0, weights=share)
            covariance = np.cov(points.T, aweights=share, ddof=0).reshape(channels, channels)
            covariance = covariance + _DEVIATION**2 * np.eye(channels)
            densities.append((multivariate_normal(mean, covariance), mean))
        x = colours[tuple(places[k])]
        # Outliers have the density of the flatter of the two where nine tenths of it lie nearer.
        radius = {1: 2.7055, 3: 6.2514}[channels]
        outliers = min(density.pdf(mean) for density, mean in densities) * np.exp(-radius / 2)
        a, b = (density.pdf(x) + outliers for density, _ in densities)
        assert found[k] == pytest.approx(np.log(a / b), abs=0.05)


def test_where_a_label_is_not_near_nothing_is_said(rng):
    colours = rng.random((40, 40, 3)).astype(np.float32)
    left, right = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    left[:, :10], right[:, 30:] = True, True
    assert not local_log_odds(colours, (left, right), 3.0, 1.0, ~(left | right)).any()
    assert local_log_odds(colours, (left, right), 12.0, 3.0, ~(left | right)).any()


def test_moments_of_coarse_cells_are_nearly_those_of_pixels(rng):
    colours = (0.3 * DISC[..., None] + 0.1 * rng.standard_normal((*DISC.shape, 3))).astype(np.float32)
    sure = DISC, ~DISC
    where = np.abs(np.hypot(Y - 24, X - 32) - 15) < 4
    fine, coarse = (local_log_odds(colours, sure, 12.0, step, where) for step in (1.0, 3.0))
    assert np.abs(fine - coarse).max() < 0.3


def test_the_width_is_that_of_the_blur_of_an_edge():
    scene = scene_of(np.zeros((128, 128)) + X[:1, :1] + np.arange(128) / 128)
    edge = np.arange(64) - 31.5
    for blur in (2.0, 3.0):
        odds = np.broadcast_to((1.6 * edge / blur).astype(np.float32), (64, 64))
        assert Band.of(odds, scene, 0.5).width == pytest.approx(2 * blur, rel=0.05)
    steep = np.broadcast_to((30 * edge).astype(np.float32), (64, 64))
    assert Band.of(steep, scene, 1.5).width == 3.0
    flat = np.broadcast_to((0.01 * edge).astype(np.float32), (64, 64))
    assert Band.of(flat, scene, 1.5).width == 8.0
    assert Band.of(np.ones((64, 64), np.float32), scene, 1.5).width == 3.0


def test_the_image_decides_in_the_band_only(rng):
    image = 0.3 + 0.4 * DISC + 0.02 * rng.standard_normal(DISC.shape)
    moved = np.hypot(Y - 24, X - 34) < 15  # by two pixels
    scene = scene_of(image)
    band = Band(np.where(moved, 8, -8).astype(np.float32), 8.0, 1.0)
    found = band.solve(scene, band.energy(scene, None))
    assert np.count_nonzero(found.index != DISC) < 0.1 * np.count_nonzero(moved != DISC)
    narrow = Band(band.log_odds, 0.5, 1.0)
    kept = narrow.solve(scene, narrow.energy(scene, None))
    assert np.count_nonzero(kept.index != moved) < 0.3 * np.count_nonzero(moved != DISC)


def test_a_map_without_an_outline_is_kept():
    scene = scene_of(0.3 + 0.4 * DISC)
    for value in (-2.0, 2.0):
        band = Band.of(np.full((12, 16), value, np.float32), scene, 1.5)
        assert (band.solve(scene, band.energy(scene, None)).index == (value > 0)).all()
