"""Chan-Vese against enumeration, the flat case, and scikit-image's energy by one formula."""

import itertools

import numpy as np
import pytest
from oracles import mask_energy

from varconvex import ChanVese, get_backend, pdhg, segment_chan_vese
from varconvex.errors import DataTermWarning, InvalidImageError, InvalidParameterError


def energy_of(image, labels, alpha, count=2, tv="isotropic"):
    """Squared distances to the regions' own means, and the length of the boundaries, in plain Python."""
    total = 0.0
    for k in range(count):
        here = labels == k
        if here.any():
            total += ((image[here] - image[here].mean(axis=0)) ** 2).sum()
        total += mask_energy(np.zeros(labels.shape), here, alpha, isotropic=tv == "isotropic") / 2
    return total


def test_flat_images_have_one_region():
    with pytest.warns(DataTermWarning, match="image should vary"):
        labels = segment_chan_vese(np.full((20, 30), 7.0))
    assert (labels == labels[0, 0]).all()


def test_two_values_are_told_apart_exactly_and_dark_comes_first():
    disc = np.hypot(*np.mgrid[-30:31, -30:31]) < 15
    for image in (disc, disc * 1000.0 - 3, (disc * 255).astype(np.uint8)):
        np.testing.assert_array_equal(segment_chan_vese(image, alpha=0.05), disc)
    np.testing.assert_array_equal(segment_chan_vese(~disc, alpha=0.05), ~disc)


@pytest.mark.parametrize("seed", range(3))
def test_labels_for_given_means_are_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    image = rng.random((3, 4))
    solution = pdhg(ChanVese(image, (0.3, 0.7), 0.05, tv="anisotropic"), tol=1e-5)
    best = np.inf
    for choice in itertools.product((0, 1), repeat=12):
        labels = np.reshape(choice, (3, 4))
        cuts = (labels[1:] != labels[:-1]).sum() + (labels[:, 1:] != labels[:, :-1]).sum()
        best = min(best, ((image - np.where(labels, 0.7, 0.3)) ** 2).sum() + 0.05 * cuts)
    assert solution.energy == pytest.approx(best, rel=1e-6)
    assert solution.dual <= best + 1e-9


def test_re_estimating_never_raises_the_energy(rng):
    backend = get_backend("numpy")
    image = rng.random((20, 22, 3))
    energy = ChanVese(image, rng.random((3, 3)), 0.05)
    labels = pdhg(energy, tol=1e-3).labels
    assert energy.refit(labels).value(backend, labels) <= energy.value(backend, labels)
    expected = energy_of(image, labels, 0.05, 3)
    assert energy.refit(labels).value(backend, labels) == pytest.approx(expected, rel=1e-5)
    assert energy.value(backend, labels) == pytest.approx(pdhg(energy, tol=1e-3).energy, rel=1e-6)


def test_an_empty_region_keeps_its_mean():
    energy = ChanVese(np.zeros((5, 5)), (0.0, 9.0), 1.0)
    np.testing.assert_array_equal(energy.refit(np.zeros((5, 5), int)).means, [0.0, 9.0])


@pytest.mark.parametrize("relaxation", ["zach", "ccp"])
def test_colour_regions_are_found(relaxation):
    rng = np.random.default_rng(0)
    truth = np.zeros((60, 70), int)
    truth[:, 25:] = 1
    truth[30:, 45:] = 2
    colours = np.array([(0.1, 0.2, 0.1), (0.7, 0.2, 0.2), (0.3, 0.8, 0.9)])
    image = colours[truth] + rng.normal(scale=0.15, size=(60, 70, 3))
    labels = segment_chan_vese(image, 3, 0.2, channel_axis=-1, relaxation=relaxation)
    assert (labels == truth).mean() > 0.99
    moved = segment_chan_vese(np.moveaxis(image, -1, 0), 3, 0.2, channel_axis=0, relaxation=relaxation)
    np.testing.assert_array_equal(moved, labels)


def test_a_volume_is_segmented():
    rng = np.random.default_rng(0)
    ball = np.sqrt((np.mgrid[-8:9, -8:9, -8:9] ** 2).sum(axis=0)) < 6
    noisy = ball + rng.normal(scale=0.3, size=ball.shape)
    assert (segment_chan_vese(noisy, alpha=0.03) == ball).mean() > 0.98


@pytest.mark.parametrize("name", ["coins", "camera"])
def test_no_worse_than_scikit_image_by_the_same_formula(name):
    segmentation = pytest.importorskip("skimage.segmentation")
    data = pytest.importorskip("skimage.data")
    image = getattr(data, name)()[100:228, 60:188] / 255.0
    image = (image - image.min()) / np.ptp(image)
    theirs = segmentation.chan_vese(image, mu=0.25, max_num_iter=200).astype(int)
    ours = segment_chan_vese(image, alpha=0.25)
    assert energy_of(image, ours, 0.25) <= energy_of(image, theirs, 0.25) * (1 + 1e-3)


def test_what_is_refused():
    image = np.zeros((4, 5))
    with pytest.raises(InvalidParameterError, match=r"means must be \(K,\) for a grey image"):
        ChanVese(image, (0.5,), 1.0)
    with pytest.raises(InvalidParameterError, match=r"got shape \(2, 4\) for an image of shape \(4, 5, 3\)"):
        ChanVese(np.zeros((4, 5, 3)), np.zeros((2, 4)), 1.0)
    with pytest.raises(InvalidImageError, match="image must be finite"):
        ChanVese(np.full((4, 5), np.inf), (0.0, 1.0), 1.0)
    for bad in ((image - 1.1e15, (0.0, 1.0)), (image, (0.0, -1.1e15))):
        with pytest.raises(InvalidParameterError, match=r"must be at most 1e\+15 in size"):
            ChanVese(*bad, 1.0)
    with pytest.raises(InvalidParameterError, match="n_regions must be a finite number, at least 2"):
        segment_chan_vese(image, 1)
    with pytest.raises(InvalidParameterError, match="max_rounds"):
        segment_chan_vese(image, 2, max_rounds=0)
    with pytest.raises(InvalidParameterError, match="relaxation must be one of 'zach', 'ccp'"):
        segment_chan_vese(np.eye(8), 3, relaxation="tight")
