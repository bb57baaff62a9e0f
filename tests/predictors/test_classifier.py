"""Classifiers of scikit-learn as predictors."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from varconvex import ClassifierPredictor, InvalidParameterError, segment
from varconvex.inputs import prepare
from varconvex.metrics import iou
from varconvex.predictors.appearance.channels import channels


@pytest.fixture
def scene(two_blobs):
    image, scribbles, disc = two_blobs
    return image, scribbles, disc


@pytest.mark.parametrize(
    "classifier",
    [
        pytest.param(RandomForestClassifier(20), marks=pytest.mark.slow, id="forest"),
        pytest.param(GaussianNB(), id="bayes"),
        pytest.param(make_pipeline(StandardScaler(), LogisticRegression()), id="pipeline"),
    ],
)
def test_any_classifier_predicts(scene, classifier):
    image, scribbles, disc = scene
    result = segment(image, scribbles, predictor=classifier)
    assert iou(result.mask, disc) > 0.9
    assert result.relative_gap < 1e-3
    again = segment(image, scribbles, predictor=classifier)
    np.testing.assert_array_equal(result.labels, again.labels)
    assert not hasattr(classifier, "classes_")
    convex = segment(image, scribbles, predictor=classifier, shape="convex")
    assert convex.certificate.convex


def test_costs_are_the_classifiers_log_probabilities(scene):
    image, scribbles, _ = scene
    scribbles = np.where((scribbles == 1) & (np.arange(scribbles.shape[1]) > 60), 5, scribbles)
    prepared = prepare(image, scribbles)
    costs = ClassifierPredictor(GaussianNB(), clip=50.0).costs(prepared)
    pixels = channels(prepared, "rgb+xy")[0].reshape(scribbles.size, -1)
    known = prepared.seeds.ravel() > 0
    theirs = GaussianNB().fit(pixels[known], prepared.seeds.ravel()[known]).predict_log_proba(pixels).T
    theirs = np.maximum(theirs, np.log(1e-12))
    expected = np.minimum(theirs.max(axis=0) - theirs, 50)
    np.testing.assert_allclose(costs.reshape(3, -1), expected, rtol=1e-3, atol=1e-3)
    assert len(np.unique(segment(image, scribbles, predictor=GaussianNB()).labels)) == 3


@pytest.mark.parametrize("classifier", [None, LinearSVC(), GaussianNB, 3])
def test_what_is_no_classifier(classifier):
    with pytest.raises(InvalidParameterError, match=r"a classifier must have fit\(\) and predict_proba\(\)"):
        ClassifierPredictor(classifier)
