"""Joint unification: laws of its objective, and an image made so that learning from the shape must help."""

import numpy as np
import pytest

from varconvex import certify_convexity, get_backend, segment
from varconvex.errors import InvalidParameterError, ShapeWarning
from varconvex.inputs import prepare
from varconvex.likelihoods.gaussian_mixture import GaussianMixtureLikelihood
from varconvex.metrics import iou
from varconvex.predictors.appearance.mixtures import MixtureAppearance, fit_mixture
from varconvex.predictors.base import LearningPredictor, Predictor, SetPredictor
from varconvex.predictors.energy import EnergyPredictor
from varconvex.predictors.fcn import FcnPredictor
from varconvex.predictors.given import GivenPredictor
from varconvex.predictors.set_energy import SetEnergy
from varconvex.shapes.base import OutlineShape
from varconvex.shapes.convex import ConvexShape
from varconvex.unify import JointProgress, joint

KINDS = [None, "convex"]


@pytest.fixture(scope="module")
def two_colours():
    """A disc, red but for a blue wedge that no stroke touches; its scribbles, and the disc."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:120, :140] - np.array([60, 65])[:, None, None]
    disc = np.hypot(rows, columns) < 36
    wedge = disc & (np.abs(rows) < 0.6 * columns)
    image = np.where(disc[..., None], (0.8, 0.2, 0.2), (0.25, 0.55, 0.25))
    image[wedge] = (0.25, 0.35, 0.55)
    image = np.clip(image + rng.normal(scale=0.06, size=image.shape), 0, 1)
    scribbles = np.zeros(disc.shape, int)
    scribbles[45:75, 48:51] = 2
    scribbles[6:9, 10:130] = 1
    scribbles[112:115, 10:130] = 1
    scribbles[20:100, 4:7] = scribbles[20:100, 130:133] = 1
    return image, scribbles, disc


def predictor_of():
    return EnergyPredictor(GaussianMixtureLikelihood(), alpha=10.0)


def test_what_the_shape_holds_teaches_a_colour_that_no_stroke_touches(two_colours):
    image, scribbles, disc = two_colours
    once = segment(image, scribbles, shape="convex", unify="sequential")
    turns = segment(image, scribbles, shape="convex", unify="joint")
    assert iou(turns.mask, disc) > max(0.95, iou(once.mask, disc) + 0.02)
    assert certify_convexity(turns.mask).convex
    # The models have learnt it: the energy alone takes the wedge, too, and did not before.
    assert turns.unconstrained[60, 97] == 2
    assert once.unconstrained[60, 97] == 1


@pytest.mark.parametrize("shape", KINDS)
def test_the_objective_never_rises_and_it_ends(two_blobs, two_colours, shape):
    for image, scribbles, _ in (two_blobs, two_colours):
        result = segment(image, scribbles, shape=shape, unify="joint")
        values = np.array(result.objective[:-1])  # the last is J of the returned labels
        assert 2 <= len(values) <= 16
        assert (np.diff(values) <= 0).all()
        assert values[-1] < values[0]


def test_the_objective_is_that_of_the_answer(two_colours):
    image, scribbles, _ = two_colours
    scene = prepare(image, scribbles)
    predictor = predictor_of()
    found = joint(predictor, {1: ConvexShape()}, scene)
    ready = predictor.ready(scene, found.prediction, found.index)
    taught = ready.learn(scene, found.index)
    # What was learnt from an answer fits it better than what the strokes alone had taught.
    assert taught.objective(scene, found.index) < ready.objective(scene, found.index)
    # Two answers differ by their costs and boundaries, as the energy says; the rest is theta's alone.
    energy, numpy = taught.predict(scene).energy, get_backend("numpy")
    other = np.where(scene.seeds == 2, 1, 0)
    found_value, other_value = (
        numpy.primal_value(energy.problem(numpy), index[None].astype(np.float32)) for index in (found.index, other)
    )
    difference = taught.objective(scene, found.index) - taught.objective(scene, other)
    assert difference == pytest.approx(found_value - other_value, rel=1e-4)


def test_one_that_was_not_made_ready_cannot_learn(two_colours):
    image, scribbles, disc = two_colours
    with pytest.raises(InvalidParameterError, match=r"Take what its ready\(\) returns"):
        predictor_of().learn(prepare(image, scribbles), disc.astype(int))


def wrongly(inside, wrong):
    """A labelling that has nothing to do with the answer `inside`."""
    return ~inside if wrong == "inside out" else np.random.default_rng(0).random(inside.shape) < 0.5


@pytest.mark.parametrize("wrong", ["inside out", "at random"])
def test_what_was_learnt_wrongly_is_refused(two_colours, wrong):
    image, scribbles, _ = two_colours

    class Confused(EnergyPredictor):
        def learn(self, scene, index):
            return super().learn(scene, wrongly(index == 1, wrong).astype(int))

    scene = prepare(image, scribbles)
    found = joint(Confused(GaussianMixtureLikelihood(), alpha=10.0), {}, scene)
    assert len(found.objective) == 3
    assert found.objective[2] == found.objective[1] == found.objective[0]
    np.testing.assert_array_equal(found.prediction.index, predictor_of().predict(scene).index)


@pytest.mark.filterwarnings("ignore::varconvex.errors.ShapeWarning")
@pytest.mark.parametrize("wrong", ["inside out", "at random"])
def test_what_was_learnt_wrongly_is_refused_with_a_shape(two_colours, wrong):
    image, scribbles, _ = two_colours

    class Confused(SetEnergy):
        def refit(self, index):
            return super().refit(wrongly(index > 0, wrong).astype(int))

    class Predictor(EnergyPredictor):
        def set_energy(self, scene):
            return Confused.start(scene, self.likelihood, self.alpha, self.edge_weight)

    scene = prepare(image, scribbles)
    found = joint(Predictor(GaussianMixtureLikelihood(), alpha=10.0), {1: ConvexShape()}, scene)
    assert len(found.objective) == 3
    assert found.objective[1] == found.objective[0]


def test_a_shape_that_cannot_minimise_is_projected(two_colours):
    image, scribbles, disc = two_colours

    class Projecting:
        def __init__(self):
            shape = ConvexShape()
            self.check_axes, self.check, self.fit, self.wraps = shape.check_axes, shape.check, shape.fit, shape.wraps

    found = joint(predictor_of(), {1: Projecting()}, prepare(image, scribbles))
    assert (np.diff(found.objective) <= 0).all()
    assert found.objective[-1] == found.objective[-2] < found.objective[0]
    assert certify_convexity(found.fitted[1].mask).convex
    assert iou(found.fitted[1].mask, disc) > 0.95


@pytest.mark.parametrize("shape", [None, "convex", "hull"])
def test_the_last_objective_is_that_of_the_returned_labels(two_colours, shape):
    image, scribbles, _ = two_colours
    result = segment(image, scribbles, 0.0, shape=shape, unify="joint")
    # Without a boundary cost J is the data cost: of outlines -log of the labels' posterior under the returned costs.
    index, seeds = (result.labels == 2).astype(int), scribbles
    if shape == "convex":
        lengths = result.costs + np.log(np.exp(-result.costs.astype(float)).sum(axis=0))
        weight = 0.3 / 0.7 * seeds.size / np.count_nonzero(seeds)
        each = np.take_along_axis(lengths, index[None], axis=0)[0] * np.where(seeds > 0, weight, 1)
        assert result.objective[-1] == pytest.approx(each.sum(), rel=1e-5)
    else:
        assert result.objective[-1] == result.objective[-2]


def test_what_unify_asks_is_in_protocols():
    for predictor in (predictor_of(), FcnPredictor()):
        assert isinstance(predictor, LearningPredictor)
        assert isinstance(predictor, SetPredictor)
    given = GivenPredictor(np.eye(3, dtype=bool))
    assert isinstance(given, Predictor)
    assert not isinstance(given, LearningPredictor | SetPredictor)
    assert isinstance(ConvexShape(), OutlineShape)


def test_a_predictor_that_does_not_learn_has_its_first_answer(two_blobs):
    image, scribbles, _ = two_blobs

    class Fixed(Predictor):
        def predict(self, scene, proximal=None):
            return predictor_of().predict(scene, proximal)

    expected = segment(image, scribbles, 10.0, likelihood="gaussian_mixture").labels
    np.testing.assert_array_equal(segment(image, scribbles, predictor=Fixed()).labels, expected)
    jointly = segment(image, scribbles, predictor=Fixed(), unify="joint")
    scribbled = segment(image, scribbles, predictor=Fixed(), components="scribbled")
    np.testing.assert_array_equal(jointly.labels, scribbled.labels)
    assert jointly.objective == ()


@pytest.mark.parametrize("shape", KINDS)
def test_theta_moves(two_colours, shape):
    image, scribbles, _ = two_colours
    once, turns = (segment(image, scribbles, shape=shape, unify=how) for how in ("sequential", "joint"))
    assert once.objective == ()
    assert np.abs(once.costs - turns.costs).max() > 0.5
    assert turns.to_dict()["objective"] == list(turns.objective)


@pytest.mark.parametrize("shape", KINDS)
def test_same_seed_same_mask(two_colours, shape):
    image, scribbles, _ = two_colours
    one, two = (segment(image, scribbles, shape=shape, unify="joint", random_state=3) for _ in range(2))
    np.testing.assert_array_equal(one.labels, two.labels)
    np.testing.assert_array_equal(one.costs, two.costs)
    assert one.objective == two.objective


@pytest.mark.parametrize("shape", KINDS)
def test_scribbles_hold_and_inputs_are_left_alone(two_blobs, shape):
    image, scribbles, disc = (array.copy() for array in two_blobs)
    scribbles[60:62, 90:100] = 1  # the square is not wanted
    scribbles[40, 55:60] = 2
    kept = image.copy(), scribbles.copy()
    image.flags.writeable = scribbles.flags.writeable = False
    result = segment(image, scribbles, shape=shape, unify="joint")
    assert (result.labels[scribbles > 0] == scribbles[scribbles > 0]).all()
    assert iou(result.mask, disc) > 0.9
    np.testing.assert_array_equal(image, kept[0])
    np.testing.assert_array_equal(scribbles, kept[1])


def test_without_a_shape_only_parts_with_a_scribble_teach_and_stay(two_blobs):
    image, scribbles, disc = two_blobs
    result = segment(image, scribbles, unify="joint")
    assert not result.mask[60, 95]
    assert iou(result.mask, disc) > 0.95


def test_the_callback_sees_every_round_and_can_stop_it(two_colours):
    image, scribbles, _ = two_colours
    seen = []
    whole = segment(image, scribbles, shape="convex", unify="joint", callback=seen.append)
    starts = [k for k, progress in enumerate(seen) if isinstance(progress, JointProgress)]
    assert len(starts) >= 3
    assert [seen[k].round for k in starts] == list(range(len(starts)))
    assert [seen[k].primal for k in starts] == list(whole.objective[: 2 * len(starts) : 2])
    assert {(seen[k].dual, seen[k].relative_gap) for k in starts} == {(-np.inf, np.inf)}
    assert all(progress.u.shape == scribbles.shape for progress in seen)
    for wanted, fewer in ((1, True), (starts[1] + 1, False)):
        calls = []

        def stop(progress, calls=calls, wanted=wanted):
            calls.append(progress)
            return len(calls) >= wanted

        part = segment(image, scribbles, shape="convex", unify="joint", callback=stop)
        assert len(calls) == wanted
        assert part.status == "stopped"
        assert len(part.objective) == 2 if fewer else len(part.objective) <= len(whole.objective)
        assert part.certificate.convex


@pytest.mark.parametrize("wanted", [1, 3])
def test_projections_show_every_step_and_stop(two_colours, wanted):
    image, scribbles, _ = two_colours
    calls = []

    def stop(progress):
        calls.append(progress)
        return sum(isinstance(shown, JointProgress) for shown in calls) >= wanted

    result = segment(image, scribbles, shape="hull", unify="joint", callback=stop)
    assert isinstance(calls[-1], JointProgress)
    assert calls[-1].u.shape == scribbles.shape
    assert calls[-1].primal == result.objective[-1]
    assert result.status == "stopped"


@pytest.mark.filterwarnings("ignore::varconvex.errors.ShapeWarning")
def test_no_round_begins_after_the_time_limit(two_colours):
    image, scribbles, _ = two_colours
    found = joint(predictor_of(), {1: ConvexShape()}, prepare(image, scribbles), time_limit=0.0)
    assert len(found.objective) == 2


def test_more_labels_volumes_and_holes(two_blobs, rng):
    image, scribbles, _ = two_blobs
    image, scribbles = image.copy(), scribbles.copy()
    image[:, 60:80] = (0.1, 0.1, 0.9)
    scribbles[20:60, 68:72] = 7
    image[30:34, 30:50] = np.nan
    result = segment(image, scribbles, unify="joint", nan_policy="mask")
    assert (result.labels[40, 40], result.labels[40, 75], result.labels[20, 110]) == (2, 7, 1)
    assert (np.diff(result.objective) <= 0).all()
    volume = rng.normal(scale=0.1, size=(8, 20, 22))
    volume[2:6, 5:15, 5:15] += 1
    strokes = np.zeros(volume.shape, int)
    strokes[4, 8:12, 8:12], strokes[:, 1, 1:20] = 2, 1
    assert segment(volume, strokes, unify="joint", spacing=(2.0, 1.0, 1.0)).mask[4, 10, 10]


@pytest.mark.filterwarnings("ignore:scribbles should leave pixels")
@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (2, 2), (1, 3)])
def test_tiny_images(shape):
    image = np.arange(np.prod(shape), dtype=float).reshape(shape)
    scribbles = np.zeros(shape, int)
    scribbles.flat[0], scribbles.flat[-1] = 1, 2
    for kind in KINDS:
        labels = segment(image, scribbles, shape=kind, unify="joint").labels
        assert (labels.flat[0], labels.flat[-1]) == (1, 2)


def test_a_mixture_finds_the_gaussians_that_made_the_points(rng):
    points = np.concatenate([rng.normal((0, 0), 0.1, (600, 2)), rng.normal((2, 1), 0.3, (200, 2))])
    mixture = fit_mixture(points, 2, 1e-6)
    order = np.argsort(mixture.means[:, 0])
    np.testing.assert_allclose(mixture.shares[order], (0.75, 0.25), atol=0.01)
    np.testing.assert_allclose(mixture.means[order], [(0, 0), (2, 1)], atol=0.1)


def test_a_density_is_that_of_scipy(rng):
    from scipy.stats import multivariate_normal

    points = rng.normal(size=(300, 3)) * (1, 2, 0.5)
    mixture = fit_mixture(points, 3, 1e-3)
    terms = [
        np.log(share) + multivariate_normal(mean, covariance).logpdf(points)
        for share, mean, covariance in zip(mixture.shares, mixture.means, mixture.covariances, strict=True)
    ]
    np.testing.assert_allclose(mixture.log_density(points), np.logaddexp.reduce(terms), rtol=1e-4, atol=1e-4)


def test_scribbles_teach_from_the_start(two_colours):
    image, scribbles, disc = two_colours
    scene = prepare(image, scribbles)
    first = np.zeros((2, *disc.shape), np.float32)
    start = MixtureAppearance.start(scene, first, disc.astype(int))
    assert (start.costs(scene).argmin(axis=0)[scribbles == 2] == 1).mean() > 0.95
    taught = start.learn(scene, disc.astype(int))
    assert (taught.costs(scene).argmin(axis=0) == disc).mean() > 0.97


def test_scribbles_on_several_things_are_remarked(rng):
    """Two discs far apart under one label, for which one convex set is asked for."""
    rows, columns = np.mgrid[:80, :140]
    discs = [np.hypot(rows - 40, columns - x) < 18 for x in (30, 110)]
    image = rng.normal(0.3, 0.04, rows.shape) + 0.4 * np.any(discs, axis=0)
    scribbles = {"object": [[(40, 22), (40, 38)], [(40, 102), (40, 118)]], "background": [[(3, 3), (3, 136)]]}
    with pytest.warns(ShapeWarning, match=r"in 2 parts, each with a scribble. If they are several objects, give each"):
        assert segment(image, scribbles, shape="convex").certificate
