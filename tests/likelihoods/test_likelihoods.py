"""Likelihoods against their formulas in float64, closed forms and laws."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from varconvex.colour import CHROMA, features, srgb_to_lab
from varconvex.errors import InvalidImageError, InvalidParameterError, InvalidScribblesError
from varconvex.families import find, names
from varconvex.inputs import Scene
from varconvex.likelihoods.gaussian_mixture import GaussianMixtureLikelihood
from varconvex.likelihoods.histogram import HistogramLikelihood
from varconvex.likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood

ALL = [NieuwenhuisCremersLikelihood, GaussianMixtureLikelihood, HistogramLikelihood]


def scene(image, seeds, spacing=None, valid=None):
    seeds = np.asarray(seeds, np.int32)
    return Scene(
        image=np.asarray(image, np.float32),
        seeds=seeds,
        labels=tuple(range(1, seeds.max() + 1)),
        spacing=(1.0,) * seeds.ndim if spacing is None else spacing,
        valid=seeds >= 0 if valid is None else valid,
    )


def random_scene(rng, shape=(11, 14), channels=3, labels=2, spacing=None):
    seeds = np.zeros(shape, int)
    chosen = rng.choice(seeds.size, 8 * labels, replace=False)
    seeds.ravel()[chosen] = np.arange(chosen.size) % labels + 1
    return scene(rng.random((*shape, channels)), seeds, spacing)


def brute_force(s, rho_factor, sigma, outliers=(0.0, 0.0)):
    """The Nieuwenhuis-Cremers costs, all pairs at once, in float64 and with every factor of the Gaussians."""
    position = np.argwhere(np.ones(s.seeds.shape)) * np.array(s.spacing)
    colour = features(s.image).reshape(len(position), -1).astype(float)
    pixel = np.prod(s.spacing) ** (1 / s.seeds.ndim)
    costs = []
    for k in range(len(s.labels)):
        mine = s.seeds.ravel() == k + 1
        distance = np.linalg.norm(position[:, None] - position[mine], axis=-1)
        rho = rho_factor * np.maximum(distance.min(axis=1), pixel)[:, None, None]
        log_kernel = norm.logpdf(position[:, None], position[mine], rho).sum(axis=-1)
        if s.seeds.ndim == 3:  # where the density of position falls as that on a line does
            log_kernel += 2 * np.log(rho[..., 0])
        # Gaussians in colour with 1 at their centre, as a share of which the rest of the label may have any colour.
        kernel = np.exp(-0.5 * ((colour[:, None] - colour[mine]) ** 2).sum(axis=-1) / sigma**2)
        if outliers[min(k, 1)]:
            log_kernel += np.log((1 - outliers[min(k, 1)]) * kernel + outliers[min(k, 1)])
        else:
            log_kernel += (
                norm.logpdf(colour[:, None], colour[mine], sigma).sum(axis=-1)
                - norm.logpdf(0, 0, sigma) * colour.shape[1]
            )
        costs.append(np.log(mine.sum()) - logsumexp(log_kernel, axis=1))
    costs = np.reshape(costs, (-1, *s.seeds.shape))
    return costs - costs.min(axis=0)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # the primaries of sRGB under D65, as any colour table has them
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((1, 1, 1), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((0.5, 0.5, 0.5), (53.39, 0, 0)),
    ],
)
def test_lab_of_known_colours(rgb, lab):
    assert srgb_to_lab(np.array(rgb)) == pytest.approx(lab, abs=0.02)


def test_features_weigh_chroma_and_leave_other_channels_alone(rng):
    image = rng.random((4, 5, 3))
    expected = srgb_to_lab(image) / 100 * np.array([1, CHROMA, CHROMA])
    assert features(image) == pytest.approx(expected, abs=1e-6)
    for channels in (1, 2, 5):
        image = rng.random((4, 5, channels)).astype(np.float32)
        assert np.array_equal(features(image), image)


@pytest.mark.parametrize(
    ("shape", "channels", "labels", "spacing"),
    [
        ((11, 14), 3, 2, None),
        ((9, 8), 1, 4, (0.5, 2.0)),
        ((5, 6, 7), 2, 3, (2.0, 1.0, 0.5)),
        ((1, 40), 5, 2, None),
    ],
)
@pytest.mark.parametrize(("rho_factor", "sigma"), [(5.0, 0.1), (0.3, 0.02), (1e4, 1.0)])
def test_kernel_density_is_the_formula(rng, shape, channels, labels, spacing, rho_factor, sigma):
    s = random_scene(rng, shape, channels, labels, spacing)
    ours = NieuwenhuisCremersLikelihood(rho_factor=rho_factor, sigma=sigma, clip=None).costs(s)
    expected = brute_force(s, rho_factor, sigma)
    assert ours.dtype == np.float32
    assert ours.shape == (labels, *shape)
    # Exponents of some hundreds, in float32, are known to 1e-4.
    assert ours == pytest.approx(expected, rel=1e-4, abs=2e-4)


def test_a_share_of_the_kernel_may_have_any_colour(rng):
    s = random_scene(rng, labels=3)
    for outliers in ((0.01, 0.03), (0.0, 0.2)):
        ours = NieuwenhuisCremersLikelihood(clip=None, outliers=outliers, sigma=0.05).costs(s)
        assert ours == pytest.approx(brute_force(s, 5.0, 0.05, outliers), rel=1e-4, abs=2e-4)
    # A colour like no stroke's is left to position, and sooner given to who is less sure of its colours.
    image = np.zeros((1, 41, 3))
    image[0, 12:29] = (0.1, 0.9, 0.3)
    image[0, 29:] = 1
    seeds = np.zeros((1, 41), int)
    seeds[0, 0], seeds[0, 40] = 2, 1
    left = NieuwenhuisCremersLikelihood(outliers=(0.02, 0.02)).costs(scene(image, seeds)).argmin(axis=0)[0]
    more = NieuwenhuisCremersLikelihood(outliers=(0.02, 0.06)).costs(scene(image, seeds)).argmin(axis=0)[0]
    assert left[13:20].all()
    assert not left[21:28].any()
    assert more.sum() > left.sum()


@pytest.mark.parametrize("outliers", [0.1, (0.1,), (-0.1, 0.0), (0.0, 1.0), ("a", "b")])
def test_outliers_is_two_shares(outliers):
    with pytest.raises(InvalidParameterError, match="outliers must be two shares in"):
        NieuwenhuisCremersLikelihood(outliers=outliers)


def test_kernel_density_of_many_seeds_and_pixels_is_the_formula(rng):
    """More seeds than a block and more pixels than a thread takes at a time."""
    seeds = np.zeros((90, 100), int)
    seeds[:6, :50] = 1
    seeds[-1] = 2
    s = scene(rng.random((90, 100, 3)), seeds)
    ours = NieuwenhuisCremersLikelihood(clip=None).costs(s)
    assert ours == pytest.approx(brute_force(s, 5.0, 0.1), rel=1e-4, abs=1e-4)


def test_defaults_clip_the_formula(rng):
    s = random_scene(rng)
    assert NieuwenhuisCremersLikelihood().costs(s) == pytest.approx(np.minimum(brute_force(s, 5.0, 0.1), 3), abs=1e-4)


@pytest.mark.parametrize(
    ("shape", "channels", "labels", "contrast", "sigma", "rho_factor"),
    [
        ((70, 90), 3, 2, 1.0, 0.1, 5.0),
        ((70, 90), 1, 4, 0.3, 0.1, 5.0),
        ((12, 30, 25), 1, 3, 0.5, 0.1, 5.0),
        ((40, 50), 7, 2, 1.0, 0.2, 5.0),
        ((50, 60), 3, 3, 1.0, 0.01, 0.5),  # the nearest seed and colour decide
        ((50, 60), 2, 2, 0.0, 0.1, 1e3),
    ],
)
def test_what_is_beyond_the_clip_is_found_without_its_sum(
    backend, rng, shape, channels, labels, contrast, sigma, rho_factor
):
    """Flat regions, where groups of pixels are settled by bounds, in noise, where they are not."""
    regions = np.indices(shape).sum(axis=0) * labels // sum(shape)
    image = contrast * regions[..., None] / labels + rng.normal(0, 0.02, (*shape, channels))
    image[..., : shape[-1] // 3, :] += rng.normal(0, 0.1, image[..., : shape[-1] // 3, :].shape)
    seeds = np.where(rng.random(shape) < 0.03, regions + 1, 0)
    s = scene(image.clip(0, 1), seeds, spacing=(0.5, *(1.5,) * (len(shape) - 1)))
    ours = NieuwenhuisCremersLikelihood(rho_factor=rho_factor, sigma=sigma, backend=backend).costs(s)
    assert ours == pytest.approx(np.minimum(brute_force(s, rho_factor, sigma), 3), abs=1e-3)
    if contrast == 1.0 and sigma == 0.1:
        assert (ours.max(axis=0) == 3).mean() > 0.3


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (130, 270), (5, 30, 40), (1, 1, 1)])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5])
def test_distances_are_those_of_scipy(backend, rng, shape, share):
    there = rng.random(shape) < share
    there.flat[rng.integers(there.size)] = True
    for spacing in ((1.0,) * len(shape), tuple(rng.uniform(0.2, 4, len(shape)))):
        expected = distance_transform_edt(~there, sampling=spacing)
        np.testing.assert_allclose(backend.distance(there, spacing), expected, rtol=1e-12)


def test_far_colours_do_not_underflow():
    """exp(-1e6) is 0 in any float; its logarithm must not be lost."""
    s = scene(np.array([[0.0, 0.4, 0.6, 1.0]])[..., None], [[1, 0, 0, 2]])
    costs = NieuwenhuisCremersLikelihood(sigma=1e-3, rho_factor=1e6, clip=None).costs(s)
    assert costs[1, 0, 1] - costs[0, 0, 1] == pytest.approx((0.6**2 - 0.4**2) / 2e-6, rel=1e-3)
    assert np.isfinite(costs).all()


def test_seeds_are_no_special_case(rng):
    """On and beside a stroke the width is the same floor, so that a noisy seed is not certain of itself."""
    seeds = np.zeros((9, 9), int)
    seeds[4, 1:8] = 1
    seeds[0, 0] = 2
    s = scene(np.full((9, 9, 1), 0.5), seeds)
    costs = NieuwenhuisCremersLikelihood(clip=None).costs(s)
    assert costs[1, 4, 4] == pytest.approx(costs[1, 3, 4], rel=0.2)
    assert np.isfinite(costs).all()


def test_scaling_the_spacing_changes_nothing(rng):
    s = random_scene(rng, spacing=(1.0, 2.0))
    t = Scene(s.image, s.seeds, s.labels, (10.0, 20.0), s.valid)
    assert NieuwenhuisCremersLikelihood().costs(s) == pytest.approx(NieuwenhuisCremersLikelihood().costs(t), abs=1e-4)


def test_enlarged_scene_has_the_same_costs_away_from_strokes():
    columns = np.tile(np.arange(32), (32, 1))
    seeds = np.where(columns == 2, 1, np.where(columns == 29, 2, 0))
    image = (columns / 31)[..., None]
    small = NieuwenhuisCremersLikelihood(clip=None).costs(scene(image, seeds))
    large = NieuwenhuisCremersLikelihood(clip=None).costs(
        scene(image.repeat(4, 0).repeat(4, 1), seeds.repeat(4, 0).repeat(4, 1))
    )
    difference = large[1, 2::4, 2::4] - large[0, 2::4, 2::4] - (small[1] - small[0])
    assert np.abs(difference[:, 8:24]).max() < 0.5


def test_thinned_seeds_give_nearly_the_same_costs(rng):
    seeds = np.zeros((40, 60), int)
    seeds[5:15, 5:55] = 1
    seeds[25:35, 5:55] = 2
    image = rng.normal(0.5, 0.1, (40, 60, 3)) + (seeds == 2)[..., None] * 0.2
    s = scene(image.clip(0, 1), seeds)
    exact = NieuwenhuisCremersLikelihood(max_seeds=10_000).costs(s)
    thinned = NieuwenhuisCremersLikelihood(max_seeds=250).costs(s)
    assert np.abs(exact - thinned).mean() < 0.15
    assert not np.array_equal(exact, thinned)


def test_mixture_with_one_component_is_a_gaussian(rng):
    s = random_scene(rng, channels=2)
    reg = 0.01
    costs = GaussianMixtureLikelihood(n_components=1, reg_covar=reg, clip=None).costs(s)
    colours = s.image.astype(float)
    expected = []
    for k in (1, 2):
        mine = colours[s.seeds == k]
        covariance = np.cov(mine.T, bias=True) + reg * np.eye(2)
        expected.append(-multivariate_normal.logpdf(colours, mine.mean(axis=0), covariance))
    assert costs[1] - costs[0] == pytest.approx(expected[1] - expected[0], abs=1e-3)


def test_mixture_is_repeatable_and_finds_two_colours(rng):
    seeds = np.zeros((20, 60), int)
    seeds[:5], seeds[-5:] = 1, 2
    image = rng.normal(0.5, 0.01, (20, 60, 1))
    image[:5, :30], image[:5, 30:] = 0.1, 0.9
    image[10, 10] = 0.1
    s = scene(image, seeds)
    first, second = (GaussianMixtureLikelihood(random_state=3).costs(s) for _ in range(2))
    assert np.array_equal(first, second)
    assert first[:, 10, 10].argmin() == 0
    assert first[:, 12, 30].argmin() == 1


def test_histogram_is_a_binned_kernel_density():
    grey = np.linspace(0, 1, 400)[None, :, None]
    seeds = np.zeros((1, 400), int)
    seeds[0, 100], seeds[0, 300] = 1, 2
    sigma, outliers, width = 0.1, 0.05, 0.005
    costs = HistogramLikelihood(sigma=sigma, bin_width=width, outliers=outliers, clip=None).costs(scene(grey, seeds))
    cells = int(1 / width) + 1
    x = grey[0, :, 0]
    p = [(1 - outliers) * width * norm.pdf(x, x[j], sigma) + outliers / cells for j in (100, 300)]
    assert costs[1, 0] - costs[0, 0] == pytest.approx(np.log(p[0] / p[1]), abs=0.12)


def test_histogram_of_too_much_is_refused(rng):
    with pytest.raises(InvalidImageError, match="at most 3 channels; got 4"):
        HistogramLikelihood().costs(random_scene(rng, channels=4))
    with pytest.raises(InvalidImageError, match="Pass a bigger one"):
        HistogramLikelihood(bin_width=1e-4).costs(random_scene(rng))


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("shape", [(12, 15), (6, 7, 8)])
def test_contract(model, channels, shape, rng):
    s = random_scene(rng, shape, channels, labels=3)
    before = s.image.copy()
    costs = model().costs(s)
    assert costs.dtype == np.float32
    assert costs.shape == (3, *shape)
    assert np.isfinite(costs).all()
    assert (costs.min(axis=0) == 0).all()
    assert costs.max() <= 3
    assert np.array_equal(s.image, before)


@pytest.mark.parametrize("model", ALL)
def test_two_colours_are_told_apart(model, two_blobs):
    image, scribbles, _ = two_blobs
    costs = model().costs(scene(image, scribbles))
    red = image[..., 0] > image[..., 1]
    assert (costs.argmin(axis=0) == red).mean() > 0.99


@pytest.mark.parametrize("model", ALL)
def test_invalid_and_outside_pixels_say_nothing_and_teach_nothing(model, two_blobs):
    image, scribbles, _ = two_blobs
    seeds = scribbles.copy()
    seeds[:, 100:] = -1
    valid = seeds >= 0
    valid[40, 30:35] = False
    clean = model().costs(scene(image, seeds, valid=valid))
    dirty = image.copy()
    dirty[~valid] = 0.123
    assert (clean[:, ~valid] == 0).all()
    assert np.array_equal(clean, model().costs(scene(dirty, seeds, valid=valid)))


@pytest.mark.parametrize("model", ALL)
def test_label_without_a_valid_seed_is_named(model, two_blobs):
    image, scribbles, _ = two_blobs
    with pytest.raises(InvalidScribblesError, match="scribbled pixels of label 2 and none of them valid"):
        model().costs(scene(image, scribbles, valid=scribbles != 2))


@pytest.mark.parametrize("model", ALL)
def test_one_pixel_and_one_colour_classes_work(model):
    image = np.zeros((8, 8, 3))
    image[:, 4:] = 1
    seeds = np.zeros((8, 8), int)
    seeds[0, 0] = 1
    seeds[2:6, 6] = 2
    costs = model().costs(scene(image, seeds))
    assert (costs.argmin(axis=0) == (image[..., 0] > 0)).all()


@pytest.mark.parametrize("model", ALL)
def test_flat_image_is_finite(model):
    seeds = np.zeros((8, 8), int)
    seeds[0], seeds[-1] = 1, 2
    assert np.isfinite(model().costs(scene(np.zeros((8, 8, 3)), seeds))).all()


@pytest.mark.parametrize("model", ALL)
def test_clip_bounds_and_none_does_not(model, two_blobs):
    image, scribbles, _ = two_blobs
    s = scene(image, scribbles)
    free = model(clip=None).costs(s)
    assert free.max() > 3
    assert model(clip=1.5).costs(s) == pytest.approx(np.minimum(free, 1.5), abs=1e-5)
    assert not model(clip=0).costs(s).any()


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (NieuwenhuisCremersLikelihood, {"rho_factor": 0}, "rho_factor must be a finite number, more than 0"),
        (NieuwenhuisCremersLikelihood, {"sigma": -1}, "sigma must be a finite number, more than 0"),
        (NieuwenhuisCremersLikelihood, {"max_seeds": 0}, "max_seeds must be a finite number, at least 1"),
        (NieuwenhuisCremersLikelihood, {"clip": -1}, "clip must be a finite number"),
        (GaussianMixtureLikelihood, {"n_components": 1.5}, "n_components must be a whole number"),
        (GaussianMixtureLikelihood, {"reg_covar": 0}, "reg_covar must be a finite number, more than 0"),
        (GaussianMixtureLikelihood, {"random_state": -1}, "random_state must be a finite number"),
        (HistogramLikelihood, {"sigma": 0}, "sigma must be a finite number, more than 0"),
        (HistogramLikelihood, {"bin_width": 0}, "bin_width must be a finite number, more than 0"),
        (HistogramLikelihood, {"outliers": 1}, "outliers must be less than 1"),
        (HistogramLikelihood, {"clip": "much"}, "clip must be a number"),
    ],
)
def test_wrong_options_are_named(model, options, message):
    with pytest.raises(InvalidParameterError, match=message):
        model(**options)


def test_families_find_all_three():
    assert names("likelihoods") == ["gaussian_mixture", "histogram", "nieuwenhuis_cremers"]
    assert [find("likelihoods", n) for n in names("likelihoods")] == [ALL[1], ALL[2], ALL[0]]


def test_every_backend_gives_the_same_costs(backend, rng):
    s = random_scene(rng, (40, 30), labels=3, spacing=(1.2, 1 / 1.2))
    costs = NieuwenhuisCremersLikelihood(backend=backend).costs(s)
    assert isinstance(costs, np.ndarray)
    np.testing.assert_allclose(costs, np.minimum(brute_force(s, 5.0, 0.1), 3.0), atol=2e-3)
