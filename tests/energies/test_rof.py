"""ROF against a closed form, maximum flow, a general optimiser and scikit-image."""

import numpy as np
import pytest
from oracles import minimum_cut
from scipy.optimize import minimize

from varconvex import ROF, TVL1, denoise_rof, get_backend, pdhg, pdhg_batch
from varconvex.errors import DataTermWarning, InvalidImageError, InvalidParameterError


def rof_energy(image, u, alpha, huber=0.0, isotropic=True):
    """The energy in plain NumPy, grey or (C, H, W) with one gradient for all channels."""
    u, image = np.atleast_3d(u.T).T.astype(float), np.atleast_3d(image.T).T.astype(float)
    g = np.zeros((2, *u.shape))
    g[0, :, :-1] = np.diff(u, axis=1)
    g[1, :, :, :-1] = np.diff(u, axis=2)
    t = np.sqrt((g**2).sum(axis=(0, 1))) if isotropic else np.sqrt((g**2).sum(axis=1))
    h = np.where(t < huber, t**2 / (2 * max(huber, 1e-300)), t - huber / 2)
    return 0.5 * ((u - image) ** 2).sum() + alpha * h.sum()


@pytest.mark.parametrize("alpha", [2.0, 6.0])
def test_a_disc_loses_contrast_by_its_curvature(backend, alpha):
    # On a bounded domain: 2 alpha / r inside, and the perimeter's alpha spread over what is outside.
    radius = 30
    disc = np.hypot(*np.mgrid[-64:65, -64:65]) < radius
    u = backend.to_numpy(pdhg(ROF(disc, alpha), tol=1e-4, backend=backend).u)
    inside, outside = np.hypot(*np.mgrid[-64:65, -64:65]) < radius - 4, np.hypot(*np.mgrid[-64:65, -64:65]) > radius + 4
    raised = alpha * 2 * np.pi * radius / (~disc).sum()
    np.testing.assert_allclose(u[inside].mean(), 1 - 2 * alpha / radius, atol=0.015)
    np.testing.assert_allclose(u[outside].mean(), raised, atol=0.005)


@pytest.mark.parametrize("level", [2, 5, 9])
def test_level_sets_are_minimum_cuts(rng, level):
    # {u > t} minimises <t - image, mask> + alpha * cut, for every t (Chambolle 2004); t = level + 37/101 is no mean of
    # few integers, and 101 times all of it is whole.
    image = rng.integers(0, 12, (15, 18))
    solution = pdhg(ROF(image, 3.0, tv="anisotropic"), tol=1e-5)
    mask = solution.u > level + 37 / 101
    cost = 101 * level + 37 - 101 * image
    cut = (mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum()
    assert cost[mask].sum() + 303 * cut == minimum_cut(cost, 303)


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("tv", ["isotropic", "anisotropic"])
def test_huber_against_a_general_optimiser(backend, rng, channels, tv):
    shape = (7, 8) if channels is None else (7, 8, channels)
    image = rng.normal(size=shape)
    layers = image if channels is None else np.moveaxis(image, -1, 0)
    energy = ROF(image, 0.7, huber=0.4, channel_axis=None if channels is None else -1, tv=tv)
    solution = pdhg(energy, tol=1e-5, backend=backend)
    fun = lambda x: rof_energy(layers, x.reshape(layers.shape), 0.7, 0.4, tv == "isotropic")  # noqa: E731
    best = minimize(fun, layers.ravel(), method="L-BFGS-B", options={"maxiter": 3000, "maxfun": 10**6}).fun
    assert solution.dual <= best + 1e-5
    assert solution.primal == pytest.approx(best, rel=1e-4)
    u = backend.to_numpy(solution.u)
    assert u.shape == shape
    assert fun(u if channels is None else np.moveaxis(u, -1, 0)) == pytest.approx(solution.primal, rel=1e-5)


def test_no_worse_than_scikit_image(rng):
    restoration = pytest.importorskip("skimage.restoration")
    image = np.hypot(*np.mgrid[-32:32, -40:40]) / 50 + rng.normal(scale=0.1, size=(64, 80))
    theirs = restoration.denoise_tv_chambolle(image, weight=0.2, eps=1e-9, max_num_iter=3000)
    ours = pdhg(ROF(image, 0.2), tol=1e-5)
    energy = rof_energy(image, theirs, 0.2)
    assert ours.dual <= energy
    assert ours.primal == pytest.approx(energy, rel=1e-4)
    np.testing.assert_allclose(ours.u, theirs, atol=0.02)


def test_volumes_and_spacing(backend, rng):
    image = rng.normal(size=(6, 7, 8))
    solution = pdhg(ROF(image, 0.5), tol=1e-5, backend=backend)
    assert solution.converged
    flat = np.repeat(rng.normal(size=(1, 7, 8)), 5, axis=0)  # nothing changes along the first axis
    # In units in which a pixel has volume 1, rows and columns are 3^(-1/3) apart.
    slices = pdhg(ROF(flat, 0.5 * 3 ** (-1 / 3), spacing=(3, 1, 1)), tol=1e-5, backend=backend).u
    alone = pdhg(ROF(flat[0], 0.5), tol=1e-5, backend=backend).u
    np.testing.assert_allclose(backend.to_numpy(slices), np.repeat(backend.to_numpy(alone)[None], 5, 0), atol=5e-3)


@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0.0), (255.0, 1e3), (1e8, -1e9)])
def test_unit_and_offset_of_the_image_do_not_matter(rng, scale, offset):
    image = rng.random((40, 50))
    one = pdhg(ROF(image, 0.3), tol=1e-4)
    two = pdhg(ROF(image * scale + offset, 0.3 * scale), tol=1e-4)
    assert two.converged
    np.testing.assert_allclose((two.u - offset) / scale, one.u, atol=1e-3 + 1e-6 * abs(offset) / scale)
    assert two.primal == pytest.approx(one.primal * scale**2, rel=1e-3)
    assert np.abs(two.p).max() <= 0.3 * scale * (1 + 1e-5)


def test_flat_and_unsmoothed_images_stay(rng):
    flat = np.full((9, 9), 3.5)
    np.testing.assert_array_equal(pdhg(ROF(flat, 1.0)).u, 3.5)
    image = rng.normal(size=(30, 30))
    np.testing.assert_allclose(pdhg(ROF(image, 0.0)).u, image, atol=1e-5)


def test_a_weight_of_zero_sets_an_edge_free(rng):
    image = np.tile(np.repeat([0.0, 1.0], 10), (20, 1))
    weight = np.ones(image.shape)
    weight[:, 9] = 0
    np.testing.assert_allclose(pdhg(ROF(image, 5.0, weight=weight), tol=1e-5).u, image, atol=1e-3)
    assert np.ptp(pdhg(ROF(image, 5.0)).u) < 0.05


@pytest.mark.parametrize("huber", [0.0, 0.4, 1.3, 1.5, 9.0])
def test_the_energy_of_an_image_is_what_the_formula_says(rng, huber):
    image, other = rng.random((12, 9)), rng.random((12, 9))
    for one, two in ((image, other), (image.round(), other.round()), (7 * image.round() - 3, 7 * other.round() - 3)):
        found = ROF(one, 0.3, huber=huber).value(get_backend("numpy"), two)
        assert found == pytest.approx(rof_energy(one, two, 0.3, huber), rel=1e-5)


@pytest.mark.parametrize("channels", [None, 0, -1])
def test_another_solution_is_a_start(rng, channels):
    image = 50 * rng.random((40, 44, 42)[: 2 + (channels is not None)]) + 7
    if channels is not None:
        image = np.moveaxis(image, 0, -1)[..., :3] if channels == -1 else image[:3]
    energy = ROF(image, 5.0, channel_axis=channels)
    first = pdhg(energy, tol=1e-4)
    again = pdhg(energy, tol=2e-4, start=first)
    assert again.iterations == 0
    np.testing.assert_allclose(again.u, first.u, atol=1e-4)
    assert again.primal == pytest.approx(first.primal, rel=1e-5)


def test_batches_say_the_same_as_one_after_the_other(backend, rng):
    images = rng.random((2, 20, 30))
    energies = [ROF(images[0], 0.2), ROF(images[1] * 9, 2.0), TVL1(images[0], 0.5)]
    for energy, solution in zip(energies, pdhg_batch(energies, backend=backend, tol=1e-4), strict=True):
        alone = pdhg(energy, backend=backend, tol=1e-4)
        assert solution.converged
        assert solution.primal == pytest.approx(alone.primal, rel=3e-4)
        assert solution.dual <= alone.primal
        np.testing.assert_allclose(
            abs(backend.to_numpy(solution.p)).max(), abs(backend.to_numpy(alone.p)).max(), rtol=0.05
        )


def test_the_front_scales_integers_and_keeps_its_hands_off(rng):
    image = rng.integers(0, 256, (40, 30)).astype(np.uint8)
    before = image.copy()
    np.testing.assert_allclose(denoise_rof(image, 0.2), denoise_rof(image / 255, 0.2), atol=1e-5)
    np.testing.assert_array_equal(image, before)
    colour = rng.random((20, 24, 3))
    assert denoise_rof(colour, channel_axis=-1).shape == colour.shape
    moved = denoise_rof(np.moveaxis(colour, -1, 0), channel_axis=0)
    np.testing.assert_array_equal(np.moveaxis(moved, 0, -1), denoise_rof(colour, channel_axis=-1))
    with pytest.warns(DataTermWarning, match=r"taken as a volume; pass channel_axis=-1"):
        denoise_rof(colour)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.full((4, 4), np.nan)}, "image must be finite everywhere"),
        ({"image": np.zeros(5)}, r"image must be 2-D or 3-D; got shape \(5,\)"),
        ({"image": np.zeros((4, 4)), "channel_axis": -1}, "image must be 3-D or 4-D"),
        ({"alpha": -1}, "alpha must be a finite number, at least 0"),
        ({"huber": -0.1}, "huber must be a finite number, at least 0"),
        ({"weight": np.ones((3, 3))}, "weight must be non-negative with the spatial shape"),
        ({"lower": 2.0, "upper": 1.0}, "lower and upper must be finite numbers with lower <= upper"),
        ({"image": np.full((4, 4), 1e35)}, "image, alpha and alpha \\* weight must be at most 1e\\+30"),
        ({"tv": "round"}, "tv must be one of"),
    ],
)
def test_what_is_refused(change, message):
    fields = {"image": np.zeros((4, 5)), "alpha": 1.0, **change}
    with pytest.raises((InvalidImageError, InvalidParameterError), match=message):
        ROF(**fields)


def test_the_least_range_whose_square_is_a_number():
    image = np.array([[-0.5, 0.5], [0.5, 0.25]])
    assert np.isfinite(pdhg(ROF(1e-150 * image, 1e-151)).primal)
    for size in (0.99e-150, 1e-200):
        with pytest.raises(InvalidParameterError, match="the range of the image"):
            ROF(size * image, 1e-151)
