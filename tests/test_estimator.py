"""`ScribbleClassifier` by the rules of scikit-learn, and beside `segment`."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score

from varconvex import (
    HistogramLikelihood,
    InvalidImageError,
    InvalidParameterError,
    InvalidScribblesError,
    NieuwenhuisCremersLikelihood,
    ScribbleClassifier,
    pixel_table,
    segment,
)


@pytest.fixture(scope="module")
def scene():
    """A disc in noise, with two strokes inside and two outside; and the disc."""
    rows, columns = np.mgrid[:36, :44]
    disc = np.hypot(rows - 17, columns - 20) < 11
    image = disc + np.random.default_rng(0).normal(scale=0.2, size=disc.shape)
    scribbles = np.zeros(disc.shape, int)
    scribbles[14, 15:25] = scribbles[21, 15:25] = 7
    scribbles[2, 3:40] = scribbles[33, 3:40] = 1
    return image, scribbles, disc


def test_it_is_segment(scene):
    image, scribbles, _ = scene
    classifier = ScribbleClassifier(3.0, sigma=0.2, rho_factor=4.0, tv="anisotropic", options={"max_iter": 300})
    likelihood = NieuwenhuisCremersLikelihood(sigma=0.2, rho_factor=4.0)
    expected = segment(image, scribbles, 3.0, likelihood=likelihood, tv="anisotropic", max_iter=300)
    assert classifier.fit(image, scribbles) is classifier
    np.testing.assert_array_equal(classifier.predict(image), expected.labels)
    np.testing.assert_array_equal(classifier.result_.labels, expected.labels)
    probability = classifier.predict_proba(image)
    np.testing.assert_allclose(probability[..., 1], expected.probability, atol=1e-6)
    np.testing.assert_allclose(probability.sum(axis=-1), 1)
    assert classifier.classes_.tolist() == [1, 7]
    assert classifier.score(image, expected.labels) == 1


def test_scribbles_in_every_form(scene):
    image, scribbles, _ = scene
    expected = ScribbleClassifier().fit(image, np.where(scribbles == 7, 2, scribbles)).predict(image)
    pair = ScribbleClassifier().fit(image, (scribbles == 7, scribbles == 1))
    np.testing.assert_array_equal(pair.predict(image), expected)
    lines = {2: [[(14, 15), (14, 24)], [(21, 15), (21, 24)]], 1: [[(2, 3), (2, 39)], [(33, 3), (33, 39)]]}
    drawn = ScribbleClassifier().fit(image, lines)
    assert (drawn.predict(image) == segment(image, lines).labels).all()
    assert drawn.classes_.tolist() == [1, 2]


def test_more_than_two_labels_and_a_shape(scene):
    image, scribbles, _ = scene
    scribbles = np.where((scribbles == 1) & (np.arange(36)[:, None] > 20), 9, scribbles)
    classifier = ScribbleClassifier(shape={7: "convex"}).fit(image, scribbles)
    probability = classifier.predict_proba(image)
    assert probability.shape == (36, 44, 3)
    np.testing.assert_allclose(probability.sum(axis=-1), 1)
    assert classifier.result_.certificate.convex
    assert set(np.unique(classifier.predict(image))) <= {1, 7, 9}


def test_it_is_cloned_with_its_parameters(scene):
    classifier = ScribbleClassifier(sigma=0.3, likelihood=NieuwenhuisCremersLikelihood(), options={"max_iter": 9})
    other = clone(classifier)
    assert other.get_params().keys() == classifier.get_params().keys()
    assert other.sigma == 0.3
    assert other.set_params(sigma=0.4).sigma == 0.4
    assert classifier.sigma == 0.3
    with pytest.raises(NotFittedError):
        other.predict(scene[0])


def test_rows_of_all_pixels_are_the_image(scene):
    image, scribbles, _ = scene
    X, y, strokes = pixel_table(image, scribbles)
    assert len(np.unique(strokes)) == 4 + np.count_nonzero(scribbles == 0)
    assert strokes.max() + 1 == len(np.unique(strokes))
    rows = ScribbleClassifier().fit(X, y)
    whole = ScribbleClassifier().fit(image, scribbles)
    np.testing.assert_array_equal(rows.predict(X).reshape(image.shape), whole.predict(image))
    np.testing.assert_array_equal(rows.predict_proba(X), whole.predict_proba(image).reshape(-1, 2))
    np.testing.assert_array_equal(rows.predict(X[100:200]), whole.predict(image).ravel()[100:200])


def test_pixels_that_were_held_out_are_added_without_their_label(scene):
    image, scribbles, _ = scene
    X, y, strokes = pixel_table(image, scribbles)
    out = strokes == strokes.reshape(image.shape)[14, 20]
    classifier = ScribbleClassifier().fit(X[~out], y[~out])
    expected = segment(image, np.where(out.reshape(image.shape), 0, scribbles))
    np.testing.assert_array_equal(classifier.predict(X[out]), expected.labels.ravel()[out])
    assert classifier.score(X[out], y[out]) == 1
    assert classifier.result_ is None
    assert np.isnan(classifier.score(X[y == 0], y[y == 0]))


def test_a_search_over_widths_scores_strokes_that_are_held_out(scene):
    image, scribbles, _ = scene
    X, y, strokes = pixel_table(image, scribbles)
    folds, widths = GroupKFold(2), [1e-4, 0.3, 30.0]
    limited = {"max_iter": 60, "tol": 0.1}
    search = GridSearchCV(
        ScribbleClassifier(tol=0.1, options={"max_iter": 60}), {"sigma": widths}, cv=folds, error_score="raise"
    )
    search.fit(X, y, groups=strokes)
    for sigma, score in zip(widths, search.cv_results_["mean_test_score"], strict=True):
        expected = []
        for _, out in folds.split(X, y, strokes):
            known = y.copy()
            known[out] = 0
            likelihood = NieuwenhuisCremersLikelihood(sigma=sigma)
            found = segment(image, known.reshape(image.shape), likelihood=likelihood, **limited).labels.ravel()
            told = out[y[out] > 0]
            expected.append((found[told] == y[told]).mean())
        assert score == pytest.approx(np.mean(expected))
    assert search.best_params_["sigma"] in widths
    assert search.predict(X).shape == y.shape


def test_another_image_is_segmented_by_the_first_ones_strokes(scene):
    image, scribbles, _ = scene
    classifier = ScribbleClassifier(edge_weight=None, rho_factor=50.0).fit(image, scribbles)
    other = np.zeros((20, 60))
    other[5:15, 30:50] = 1
    found = classifier.predict(other)
    assert found.shape == other.shape
    assert classifier.predict_proba(other).shape == (20, 60, 2)
    with pytest.raises(InvalidImageError, match="X must be an image with the axes"):
        classifier.predict(np.zeros((3, 4, 5)))


def test_folds_of_rows_of_an_image(scene):
    """What `cross_val_score` does to an image by itself: blocks of rows, predicted by the others' strokes."""
    image, scribbles, _ = scene
    scribbles = scribbles.copy()
    scribbles[3:33, 2] = scribbles[8:27, 20] = 0
    scribbles[3:33, 2], scribbles[8:27, 20] = 1, 7
    scores = cross_val_score(ScribbleClassifier(), image, scribbles, cv=2, error_score="raise")
    assert scores.mean() > 0.8


@pytest.mark.parametrize(
    ("classifier", "X", "y", "error", "match"),
    [
        (ScribbleClassifier(), np.ones((4, 5)), np.ones((5, 4), int), InvalidScribblesError, "image's spatial shape"),
        (ScribbleClassifier(), np.ones((4, 2)), np.ones(4, int), InvalidImageError, "rows of pixels must be"),
        (
            ScribbleClassifier(sigma=0.1, likelihood="gaussian_mixture"),
            np.ones((4, 5)),
            np.arange(20).reshape(4, 5) % 3,
            InvalidParameterError,
            "sigma must be a parameter of the likelihood; GaussianMixtureLikelihood has none",
        ),
        (
            ScribbleClassifier(rho_factor=0.1, likelihood=HistogramLikelihood()),
            np.ones((4, 5)),
            np.arange(20).reshape(4, 5) % 3,
            InvalidParameterError,
            "rho_factor must be a parameter",
        ),
    ],
)
def test_what_cannot_be_fitted(classifier, X, y, error, match):
    with pytest.raises(error, match=match):
        classifier.fit(X, y)
