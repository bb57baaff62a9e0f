"""Networks taught by scribbles: what they learn, hold and refuse, alone, with the energy, and with a shape."""

from dataclasses import replace
from functools import partialmethod

import numpy as np
import pytest

from varconvex import segment, threads
from varconvex.errors import InvalidImageError, InvalidParameterError, InvalidScribblesError
from varconvex.inputs import prepare
from varconvex.metrics import iou
from varconvex.predictors.appearance.base import position_log_odds
from varconvex.predictors.appearance.networks import AppearanceBox, NetworkAppearance
from varconvex.predictors.base import ProximalTerm
from varconvex.predictors.cnn import CnnPredictor
from varconvex.predictors.energy import default_alpha
from varconvex.predictors.fcn import FcnPredictor
from varconvex.predictors.set_energy import CONVEX_SHARE
from varconvex.shapes.convex import ConvexShape
from varconvex.unify import joint, sequential

NETWORKS = [FcnPredictor, CnnPredictor]


def quick(network, **options):
    return network(**{"members": 1, "steps": 80, "random_state": 1, **options})


@pytest.fixture(scope="module")
def scene(two_blobs):
    return prepare(two_blobs[0], two_blobs[1])


@pytest.mark.parametrize("network", NETWORKS)
def test_colours_are_learnt_and_both_blobs_taken(network, scene, two_blobs):
    image, _, _disc = two_blobs
    red = image[..., 0] > 0.5
    found = quick(network, inputs="rgb", energy=None).predict(scene)
    assert iou(found.index == 1, red) > 0.9
    assert found.solution is None
    assert not found.stopped
    assert found.probability.min() >= 0
    assert found.probability.max() <= 1


@pytest.mark.parametrize("network", NETWORKS)
def test_with_places_the_blob_without_a_stroke_stays_away(network, two_blobs):
    image, scribbles, disc = two_blobs
    scribbles = scribbles.copy()
    scribbles[44:76, 78:80] = 1
    result = segment(image, scribbles, predictor=quick(network, steps=200), shape="convex")
    assert iou(result.mask, disc) > 0.9
    assert result.certificate.convex
    assert result.relative_gap <= 1e-3


@pytest.mark.parametrize("network", NETWORKS)
def test_colours_that_no_stroke_has_touched_are_left_to_places(network):
    # Red on the left, blue on the right; a green column on either side. Green is no nearer to blue than to red.
    image = np.zeros((40, 60, 3))
    image[:, :30, 0], image[:, 30:, 2] = 1, 1
    image[:, 12:16], image[:, 44:48] = (0, 0.7, 0), (0, 0.7, 0)
    strokes = np.zeros((40, 60), int)
    strokes[5:35, 6:9], strokes[5:35, 52:55] = 2, 1
    odds = quick(network, members=2, steps=300).trained(prepare(image, strokes)).log_odds
    assert odds[:, 12:16].mean() > odds[:, 44:48].mean() + 2
    # Known colours keep their say.
    assert odds[:, 18:28].mean() > 2
    assert odds[:, 32:42].mean() < -2


def test_a_look_of_any_kind_is_drawn_evenly_from_the_box_of_the_images():
    rng = np.random.default_rng(3)
    base = rng.random((50, 60, 1)) * np.array([3.0, 1.0, 0.0]) + [0.0, 0.0, 5.0]
    seen = np.concatenate([base @ np.linalg.qr(rng.normal(size=(3, 3)))[0], rng.random((50, 60, 2))], axis=-1)
    box = AppearanceBox.around(seen.astype(np.float32), np.arange(3), np.asarray)
    patches = np.full((4000, 1, 1, 5), 7, np.float32)
    box.draw(rng, patches, np)
    drawn, own = patches[:, 0, 0, :3], seen[..., :3].reshape(-1, 3)
    # These looks lie on a line: so do those that are drawn, as far as the image's and no farther, evenly.
    axis = np.linalg.svd(own - own.mean(axis=0))[2][0]
    along = drawn @ axis
    low, high = (own @ axis).min(), (own @ axis).max()
    apart = (drawn - own.mean(axis=0)) - np.outer(along - own.mean(axis=0) @ axis, axis)
    assert np.abs(apart).max() < 1e-3
    assert along.min() >= low - 1e-3
    assert along.max() <= high + 1e-3
    np.testing.assert_allclose(np.quantile(along, [0.25, 0.5, 0.75]), np.linspace(low, high, 5)[1:-1], atol=0.1)
    assert (patches[..., 3:] == 7).all()


def test_places_speak_for_the_nearer_stroke():
    strokes = np.zeros((31, 41), int)
    strokes[15, 10], strokes[15, 30] = 2, 1
    scene = prepare(np.random.default_rng(0).random(strokes.shape), strokes)
    odds = position_log_odds(scene)
    np.testing.assert_allclose(odds, -odds[:, ::-1], atol=1e-5)
    assert (odds[:, :20] > 0).all()
    assert odds[15, 13] == pytest.approx(2 * np.log((17 + 1) / (3 + 1)))
    wide = prepare(scene.image[..., 0], strokes, spacing=(1, 4))
    assert position_log_odds(wide)[15, 13] == pytest.approx(2 * np.log((17 * 2 + 1) / (3 * 2 + 1)))
    volume = prepare(np.stack([scene.image[..., 0]] * 2), np.stack([strokes] * 2))
    assert position_log_odds(volume)[1, 15, 13] == pytest.approx(np.log((17 + 1) / (3 + 1)))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("energy", ["default", None])
def test_scribbles_hold_and_no_answer_is_empty(network, energy, scene):
    found = quick(network, steps=1, energy=energy).predict(scene)
    assert (found.index[scene.seeds == 2] == 1).all()
    assert (found.index[scene.seeds == 1] == 0).all()
    projected = sequential(quick(network, steps=1, energy=energy), {1: ConvexShape()}, scene)
    assert projected.fitted[1].mask[scene.seeds == 2].all()
    assert not projected.fitted[1].mask[scene.seeds == 1].any()
    assert {"train", "shape"} <= set(projected.seconds)


@pytest.mark.parametrize("network", NETWORKS)
def test_same_seed_same_answer(network, scene):
    one, two, other = (quick(network, random_state=seed, energy=None).predict(scene) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.probability, two.probability)
    assert (one.probability != other.probability).any()


@pytest.mark.parametrize("name", ["fcn", "cnn"])
def test_by_name_with_segments_seed(name, two_blobs, monkeypatch):
    for network in NETWORKS:  # by all defaults, but for how long they learn
        monkeypatch.setattr(network, "__init__", partialmethod(network.__init__, members=1, steps=60))
    image, scribbles, _disc = two_blobs
    kept = image.copy(), scribbles.copy()
    one, two = (segment(image, scribbles, predictor=name, shape="convex", random_state=5) for _ in range(2))
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.mask[40, 40]
    np.testing.assert_array_equal(image, kept[0])
    np.testing.assert_array_equal(scribbles, kept[1])


def test_more_smoothing_leaves_less_boundary(two_blobs, rng):
    image, scribbles, _ = two_blobs
    image = np.clip(image + rng.normal(scale=0.2, size=image.shape), 0, 1)
    lengths = []
    for alpha in (0.0, 5.0, 50.0):
        network = quick(FcnPredictor, inputs="rgb")
        mask = segment(image, scribbles, alpha, predictor=network, components="all").mask
        lengths.append(int((mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum()))
    assert lengths[0] > lengths[1] > lengths[2]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_proximal_term_draws_near(network, scene, two_blobs):
    wish = two_blobs[2].astype(np.float32)
    predictor = quick(network, inputs="rgb+xy", energy=None)
    free = predictor.predict(scene)
    ready = predictor.ready(scene, free, free.index)
    distances = []
    for weight in (0.0, 1.0, 20.0):
        near = ready.predict(scene, ProximalTerm(wish, weight))
        distances.append(float(((near.probability - wish) ** 2).mean()))
    assert distances[0] > distances[1] > distances[2]
    # The term belongs to one prediction: the trained state is unchanged.
    np.testing.assert_array_equal(ready.predict(scene).probability, free.probability)


@pytest.mark.parametrize("network", NETWORKS)
def test_regions_are_learnt_and_the_objective_falls(network, scene, two_blobs):
    disc = two_blobs[2].astype(np.int64)
    predictor = quick(network)
    first = predictor.predict(scene)
    ready = predictor.ready(scene, first, first.index)
    taught = ready.learn(scene, disc)
    assert taught.objective(scene, disc) < ready.objective(scene, disc)
    # Labels that contradict the regions, and the scribbles, cost much.
    assert taught.objective(scene, 1 - disc) > 5 * taught.objective(scene, disc)
    # The objective is a sum: without the energy the boundary cost is missing.
    alone = quick(network, energy=None, appearance=taught.appearance)
    boundary = taught.regulariser(scene).boundary(scene, disc)
    assert taught.objective(scene, disc) == pytest.approx(alone.objective(scene, disc) + boundary)


@pytest.mark.parametrize("energy", ["default", None])
@pytest.mark.parametrize("shapes", [{}, {1: ConvexShape()}])
def test_joint_never_rises_for_networks_too(scene, shapes, energy):
    found = joint(quick(FcnPredictor, steps=150, energy=energy), shapes, scene)
    assert len(found.objective) >= 3
    assert (np.diff(found.objective[:-1]) <= 0).all()
    assert found.prediction.theta is not None


def test_with_a_convex_shape_the_networks_are_the_appearance_of_a_set(two_blobs):
    image, scribbles, disc = (np.kron(a, np.ones((8, 8) + (1,) * (a.ndim - 2), a.dtype)) for a in two_blobs)
    scene = prepare(image, scribbles)
    first = quick(FcnPredictor, steps=200)
    energy = first.set_energy(scene)
    # 720 x 960 pixels become 240 x 320, three by three.
    odds = np.clip(first.trained(scene).log_odds, -3, 3).reshape(240, 3, 320, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(energy.costs[1] - energy.costs[0], -odds, atol=1e-5)
    assert energy.alpha == pytest.approx(CONVEX_SHARE * default_alpha(scene) / 3)
    assert quick(FcnPredictor, energy=None).set_energy(scene).alpha == 0
    mask = disc[1::3, 1::3]
    taught = energy.refit(mask.astype(np.int64))
    assert iou(taught.appearance.regions == 1, disc) > 0.98
    learned = first.with_learned(scene, taught).predict(scene)
    np.testing.assert_array_equal(learned.theta.log_odds, taught.appearance.log_odds)
    start = first.with_learned(scene, taught, iterate=False).predict(scene)
    assert [evaluation[0] for evaluation in start.solution.history] == [0]


def test_a_callback_sees_each_set_and_stops(two_blobs):
    image, scribbles, _ = two_blobs
    seen = []

    def stop(progress):
        seen.append(progress)
        return True

    common = {"predictor": quick(FcnPredictor), "shape": "convex", "unify": "joint"}
    result = segment(image, scribbles, callback=stop, **common)
    assert result.status == "stopped"
    assert seen[0].u.shape == scribbles.shape
    assert seen[0].primal == result.objective[0]
    assert len(result.objective) == 2
    assert result.mask[scribbles == 2].all()


@pytest.mark.parametrize("network", NETWORKS)
def test_side_by_side_is_as_one_by_one(network, scene, monkeypatch):
    predictor = quick(network, members=3, steps=20, energy=None)
    together = predictor.predict(scene).probability
    monkeypatch.setattr(threads, "run", lambda kernel, calls: [kernel(*call) for call in calls])
    np.testing.assert_array_equal(predictor.predict(scene).probability, together)


def test_what_was_learnt_wrongly_is_refused(scene):
    class Confused(NetworkAppearance):
        def learn(self, scene, index):
            return super().learn(scene, 1 - index)

    # Trained by all defaults: in fewer steps it would not even learn what is wrong.
    predictor = FcnPredictor(random_state=1)
    found = joint(replace(predictor, appearance=Confused.start(predictor, scene)), {1: ConvexShape()}, scene)
    assert len(found.objective) == 3
    assert found.objective[1] == found.objective[0]


def test_a_result_without_an_energy_says_so(two_blobs, tmp_path):
    image, scribbles, _ = two_blobs
    result = segment(image, scribbles, predictor=quick(FcnPredictor, energy=None), shape="convex")
    assert np.isnan([result.energy, result.dual, result.gap, result.integrality_gap, result.relative_gap]).all()
    assert result.status == "no energy"
    assert "no energy" in repr(result)
    assert "nan" not in repr(result)
    assert result.to_dict()["integrality_gap"] is None
    assert result.to_dict()["iterations"] == 0
    assert result.plot(tmp_path / "page.png").size[0] > 400
    assert result._repr_png_()


def test_volumes_are_learnt_pixel_by_pixel(rng):
    volume = rng.normal(scale=0.1, size=(8, 20, 22))
    volume[2:6, 5:15, 5:15] += 1
    strokes = np.zeros(volume.shape, int)
    strokes[4, 8:12, 8:12], strokes[:, 1, 1:20] = 2, 1
    assert segment(volume, strokes, predictor=quick(FcnPredictor, inputs="rgb+xy+features")).mask[4, 10, 10]
    with pytest.raises(InvalidImageError, match="predictor 'cnn' needs a 2-D image; got 3"):
        segment(volume, strokes, predictor="cnn")


def test_pixels_left_out_and_tiny_images(two_blobs):
    image, scribbles, _disc = two_blobs
    image = image.copy()
    image[10:14, 60:70] = np.nan
    result = segment(image, scribbles, predictor=quick(CnnPredictor), nan_policy="mask")
    assert np.isfinite(result.probability).all()
    for shape in [(1, 9), (9, 1), (2, 2), (1, 3)]:
        tiny = np.arange(np.prod(shape), dtype=float).reshape(shape)
        strokes = np.zeros(shape, int)
        strokes.flat[0], strokes.flat[-1] = 1, 2
        for network in NETWORKS:
            labels = segment(tiny, strokes, predictor=quick(network, steps=3, inputs="rgb+xy+features")).labels
            assert (labels.flat[0], labels.flat[-1]) == (1, 2)


def test_three_labels_are_refused(two_blobs):
    image, scribbles, _ = two_blobs
    scribbles = scribbles.copy()
    scribbles[60:62, 90:100] = 3
    with pytest.raises(InvalidScribblesError, match=r"two labels; got labels \(1, 2, 3\)"):
        segment(image, scribbles, predictor="fcn")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"members": 0}, "members must be a finite number, at least 1"),
        ({"steps": 1.5}, "steps must be a whole number"),
        ({"noise": -1}, "noise must be a finite number"),
        ({"hidden": (0,)}, "hidden must be a finite number, at least 1"),
        ({"energy": "none"}, "energy must be one of 'default', None"),
        ({"inputs": "sem"}, "inputs must name some of"),
    ],
)
def test_parameters_are_judged(options, match):
    with pytest.raises(InvalidParameterError, match=match):
        FcnPredictor(**options)


def test_an_unknown_predictor_is_named():
    with pytest.raises(InvalidParameterError, match="predictor must be one of classifier, cnn, energy, fcn, given"):
        segment(np.eye(3), [[1, 0, 2]] * 3, predictor="fnc")
