"""segment and project from end to end, on images that are made here."""

import json
import time
import warnings

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from varconvex import ConvexShape, Segmentation, certify_convexity, project, segment
from varconvex.errors import (
    ConvergenceWarning,
    DataTermWarning,
    InvalidImageError,
    InvalidParameterError,
    InvalidScribblesError,
    ScribbleConflictError,
    ScribbleWarning,
    UnknownKeywordError,
)
from varconvex.metrics import iou
from varconvex.threads import checkpoint


def test_the_energy_takes_both_and_the_convex_shape_the_one_that_was_meant(two_blobs):
    image, scribbles, disc = two_blobs
    result = segment(image, scribbles, shape="convex")
    assert result.unconstrained[60, 95] == 2
    assert result.labels[60, 95] == 1
    assert iou(result.mask, disc) > 0.95
    assert result.certificate.convex
    assert certify_convexity(result.mask).convex
    assert result.converged
    assert result.relative_gap <= 1e-3
    assert result.integrality_gap >= result.unconstrained_energy - result.dual >= 0


@pytest.mark.parametrize("likelihood", ["nieuwenhuis_cremers", "gaussian_mixture", "histogram"])
def test_every_likelihood_finds_the_red_things(two_blobs, likelihood):
    image, scribbles, disc = two_blobs
    result = segment(image, scribbles, likelihood=likelihood)
    assert (result.mask & disc).sum() > 0.95 * disc.sum()
    assert result.mask.sum() < 1.6 * disc.sum()


def test_every_backend_and_dtype_gives_the_same_labels(two_blobs, backend):
    image, scribbles, _ = two_blobs
    expected = segment(image, scribbles, backend="numpy").labels
    for dtype in ("u1", "u2", "f4"):
        scaled = image if dtype == "f4" else np.rint(image * (255 if dtype == "u1" else 65535))
        labels = segment(scaled.astype(dtype), scribbles, backend=backend).labels
        assert (labels == expected).mean() > 0.995


def test_scribbles_in_every_form(two_blobs):
    image, scribbles, disc = two_blobs
    masks = (scribbles == 2, scribbles == 1)
    lines = {"object": [(40, 30), (40, 50)], "background": [[(6, 5), (6, 110)], [(81, 5), (81, 70)]]}
    expected = segment(image, scribbles).labels
    np.testing.assert_array_equal(segment(image, masks).labels, expected)
    assert iou(segment(image, lines, shape="convex").mask, disc) > 0.95


def test_the_result_is_its_label_image_and_knows_its_numbers(two_blobs):
    image, scribbles, _ = two_blobs
    result = segment(image, scribbles, shape="convex")
    assert isinstance(result, Segmentation)
    np.testing.assert_array_equal(np.asarray(result), result.labels)
    assert np.asarray(result, dtype=np.uint8).dtype == np.uint8
    assert json.loads(json.dumps(result.to_dict()))["certificate"]["n_missing"] == 0
    assert "relative gap" in repr(result)
    assert result._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(AttributeError):
        result.labels = None


def test_the_shape_can_be_asked_anywhere_and_drawn_at_any_resolution(two_blobs):
    image, scribbles, _ = two_blobs
    shape = segment(image, scribbles, shape="convex").shape
    np.testing.assert_array_equal(shape.rasterize(shape.mask.shape), shape.mask)
    fine = shape.rasterize((270, 360))
    assert certify_convexity(fine).convex
    assert fine.mean() == pytest.approx(shape.mask.mean(), rel=0.05)
    assert shape(np.array([[40.0, 40.0]]))[0] <= 0 < shape(np.array([[60.0, 95.0]]))[0]


def test_scribbles_hold(two_blobs):
    image, scribbles, _ = two_blobs
    scribbles = scribbles.copy()
    scribbles[60:62, 90:100] = 1  # the square is not wanted
    scribbles[40, 55:60] = 2
    for shape in (None, "convex"):
        labels = segment(image, scribbles, shape=shape).labels
        assert (labels[scribbles > 0] == scribbles[scribbles > 0]).all()


def test_a_conflict_of_hulls_is_named_before_anything_is_solved(two_blobs):
    image, scribbles, _ = two_blobs
    scribbles = scribbles.copy()
    scribbles[40, 40] = 1

    def never(progress):
        raise AssertionError("the solver was started")

    with pytest.raises(ScribbleConflictError) as caught:
        segment(image, scribbles, shape="convex", callback=never)
    assert [40, 40] in np.asarray(caught.value.pixels).tolist()


def test_parts_without_a_scribble_can_be_left_out(two_blobs):
    image, scribbles, disc = two_blobs
    both, one = segment(image, scribbles, components="all"), segment(image, scribbles)
    assert both.mask[60, 95]
    assert not one.mask[60, 95]
    np.testing.assert_array_equal(one.unconstrained, both.labels)
    assert iou(one.mask, disc) > 0.95
    assert one.energy > both.energy
    assert one.dual == both.dual


def test_same_seed_same_mask(two_blobs):
    image, scribbles, _ = two_blobs
    one, two = (segment(image, scribbles, shape="convex", random_state=3) for _ in range(2))
    np.testing.assert_array_equal(one.labels, two.labels)
    np.testing.assert_array_equal(one.probability, two.probability)


def test_three_labels_keep_their_ids(two_blobs):
    image, scribbles, _ = two_blobs
    image = image.copy()
    image[:, 60:80] = (0.1, 0.1, 0.9)
    scribbles = np.where(scribbles == 2, 65000, scribbles)
    scribbles[20:60, 68:72] = 7
    result = segment(image, scribbles)
    assert result.labels[40, 40] == 65000
    assert result.labels[40, 75] == 7
    assert result.labels[20, 110] == 1
    assert result._repr_png_()
    with pytest.raises(InvalidScribblesError, match=r"needs one object .* got labels \(1, 7, 65000\)"):
        segment(image, scribbles, shape="convex")


def test_volumes_are_solved_and_projected(rng):
    volume = rng.normal(scale=0.1, size=(8, 20, 22))
    volume[2:6, 5:15, 5:15] += 1
    scribbles = np.zeros(volume.shape, int)
    scribbles[4, 8:12, 8:12], scribbles[:, 1, 1:20] = 2, 1
    result = segment(volume, scribbles, spacing=(2.0, 1.0, 1.0))
    assert iou(result.mask, np.pad(np.ones((4, 10, 10), bool), ((2, 2), (5, 5), (5, 7)))) > 0.9
    assert result._repr_png_().startswith(b"\x89PNG")
    assert result.plot().width > 800
    convex = segment(volume, scribbles, spacing=(2.0, 1.0, 1.0), shape="convex")
    assert convex.certificate
    assert iou(convex.mask, result.mask) > 0.9


def test_a_region_of_interest_is_all_that_is_segmented(two_blobs):
    image, scribbles, disc = two_blobs
    region = np.zeros(disc.shape, bool)
    region[:, :75] = True
    result = segment(image, scribbles, mask=region)
    assert (result.labels[:, 75:] == -1).all()
    assert iou(result.mask, disc) > 0.95
    np.testing.assert_array_equal(
        result.labels, segment(np.where(region[..., None], image, 0.77), scribbles, mask=region).labels
    )


def test_the_certificate_is_about_the_mask_that_is_returned(two_blobs):
    image, scribbles, _ = two_blobs
    region = np.ones(scribbles.shape, bool)
    region[30, 40] = False  # one pixel that would be inside
    result = segment(image, scribbles, mask=region, shape="convex")
    assert result.labels[30, 40] == -1
    assert certify_convexity(result.mask) == result.certificate
    assert result.certificate.convex


def test_pixels_without_a_value_are_filled_in_by_the_boundary(two_blobs):
    image, scribbles, disc = two_blobs
    holed = image.copy()
    holed[30:34, 30:50] = np.nan
    result = segment(holed, scribbles, nan_policy="mask", shape="convex")
    assert iou(result.mask, disc) > 0.95
    assert np.isfinite(result.probability).all()


def test_a_constant_image_gives_a_result_and_a_warning():
    scribbles = np.zeros((20, 20), int)
    scribbles[5, 5:9], scribbles[15, 5:9] = 2, 1
    with pytest.warns(DataTermWarning, match="the data term says nothing"):
        result = segment(np.full((20, 20), 3.0), scribbles)
    assert result.mask[5, 5]
    assert not result.mask[15, 5]


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (2, 2), (1, 2)])
def test_tiny_images(shape):
    image = np.arange(np.prod(shape), dtype=float).reshape(shape)
    scribbles = np.zeros(shape, int)
    scribbles.flat[0], scribbles.flat[-1] = 1, 2
    for kind in (None, "convex"):
        with warnings.catch_warnings():
            if image.size == 2:
                warnings.filterwarnings("ignore", "scribbles should leave pixels to segment")
            labels = segment(image, scribbles, shape=kind).labels
        assert (labels.flat[0], labels.flat[-1]) == (1, 2)


def test_everything_labelled_is_returned_as_it_is(two_blobs):
    image, _, disc = two_blobs
    labels = np.where(disc, 2, 1)
    with pytest.warns(ScribbleWarning, match="should leave pixels to segment; they cover every one of them"):
        found = segment(image, labels).labels
    np.testing.assert_array_equal(found, labels)


def test_single_pixels_and_single_colours_are_enough(two_blobs):
    image, _, disc = two_blobs
    scribbles = np.zeros(disc.shape, int)
    scribbles[40, 40], scribbles[5, 5] = 2, 1
    flat = np.where(disc[..., None], (0.8, 0.2, 0.2), (0.2, 0.6, 0.2))
    for likelihood in ("nieuwenhuis_cremers", "gaussian_mixture", "histogram"):
        assert iou(segment(flat, scribbles, likelihood=likelihood).mask, disc) > 0.95
        assert np.isfinite(segment(image, scribbles, likelihood=likelihood).probability).all()


def test_alpha_from_nothing_to_everything(two_blobs):
    image, scribbles, _ = two_blobs
    free = segment(image, scribbles, alpha=0, components="all")
    likely = np.where(free.costs[1] < free.costs[0], 2, 1)
    unlabelled = scribbles == 0
    np.testing.assert_array_equal(free.labels[unlabelled], likely[unlabelled])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        stiff = segment(image, scribbles, alpha=1e12, max_iter=300)
    assert np.isfinite(stiff.energy)


class SlowOnLargeGrids:
    """A likelihood of distances to the strokes that takes for ever on more than a few pixels, unless interrupted."""

    def costs(self, scene):
        end = time.perf_counter() + (60 if scene.seeds.size > 128**2 else 0)
        while time.perf_counter() < end:
            checkpoint()
            time.sleep(0.002)
        away = [distance_transform_edt(scene.seeds != k + 1) for k in range(len(scene.labels))]
        return np.clip(np.log1p(away), 0, 3).astype(np.float32)


@pytest.mark.parametrize("keywords", [{}, {"unify": "joint"}, {"shape": "convex"}, {"shape": "hull"}])
def test_the_time_limit_binds_the_likelihood_and_every_other_stage(two_blobs, keywords):
    image, scribbles, _ = two_blobs
    image, scribbles = np.kron(image, np.ones((3, 3, 1))), np.kron(scribbles, np.ones((3, 3), int))
    segment(image[::3, ::3], scribbles[::3, ::3], **keywords)  # compiled
    begin = time.perf_counter()
    told = "shape" not in keywords or keywords["shape"] == "hull"
    with pytest.warns(ConvergenceWarning) if told else warnings.catch_warnings():
        if not told:  # of a small grid, if even that takes too long
            warnings.simplefilter("ignore", ConvergenceWarning)
        result = segment(image, scribbles, likelihood=SlowOnLargeGrids(), time_limit=0.2, **keywords)
    assert time.perf_counter() - begin < 2  # .2 and what cannot be left out, on a machine with other work
    assert (result.labels[scribbles > 0] == scribbles[scribbles > 0]).all()
    assert (result.labels == 2).sum() > (scribbles == 2).sum()
    assert all(found.convex for found in result.certificates.values())


@pytest.mark.parametrize("options", [{"max_iter": 1}, {"tol": 0, "max_iter": 20}, {"time_limit": 1e-9}])
def test_out_of_patience_gives_the_best_so_far(two_blobs, options):
    image, scribbles, _ = two_blobs
    with pytest.warns(ConvergenceWarning, match="the relative gap is"):
        result = segment(image, scribbles, **{"tol": 1e-12, **options})
    assert not result.converged
    assert result.status in ("max_iter", "time_limit")
    assert set(np.unique(result.labels)) == {1, 2}


@pytest.mark.parametrize("shape", [None, "convex"])
def test_without_iterations_the_start_is_evaluated(two_blobs, shape):
    image, scribbles, _ = two_blobs
    result = segment(image, scribbles, shape=shape, max_iter=0)
    assert (result.status, result.converged) == ("max_iter", False)
    assert (result.labels[scribbles > 0] == scribbles[scribbles > 0]).all()
    assert [evaluation[0] for evaluation in result.history] == [0]


def test_inputs_are_left_bitwise_alone(two_blobs):
    image, scribbles, _ = two_blobs
    image, scribbles = image.copy(), scribbles.copy()
    kept = image.copy(), scribbles.copy()
    image.flags.writeable = scribbles.flags.writeable = False
    segment(image, scribbles, shape="convex")
    np.testing.assert_array_equal(image, kept[0])
    np.testing.assert_array_equal(scribbles, kept[1])


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"alpha": -1}, InvalidParameterError, "alpha must be a finite number, at least 0; got -1"),
        ({"alpha": np.nan}, InvalidParameterError, "alpha must be a finite number"),
        ({"alpha": np.inf}, InvalidParameterError, "alpha must be a finite number"),
        ({"alpha": "much"}, InvalidParameterError, "alpha must be a number"),
        ({"alpha": np.ones((2, 2))}, InvalidParameterError, r"alpha must be a number.*ndarray of shape \(2, 2\)"),
        ({"aplha": 1}, UnknownKeywordError, r"segment\(\) got an unknown keyword 'aplha'. Did you mean 'alpha'\?"),
        ({"xyzzy": 1}, UnknownKeywordError, "It takes: image, scribbles, alpha"),
        ({"shape": "blob"}, InvalidParameterError, "shape must be one of .*convex.*; got 'blob'"),
        ({"shape": ConvexShape}, InvalidParameterError, r"an instance of varconvex.shapes.base.Shape"),
        ({"likelihood": 3}, InvalidParameterError, r"likelihood must be a name or an object with a method costs\(\)"),
        ({"likelihood": "gaussian"}, InvalidParameterError, "Did you mean 'gaussian_mixture'"),
        ({"unify": "jointly"}, InvalidParameterError, "unify must be one of 'sequential', 'joint'"),
        ({"edge_weight": "edges"}, InvalidParameterError, "edge_weight must be one of 'contrast'"),
        ({"edge_weight": np.ones((3, 3))}, InvalidParameterError, "edge_weight must be 'contrast', None or an array"),
        ({"components": "largest"}, InvalidParameterError, "components must be one of 'all', 'scribbled'"),
        ({"tv": "huber"}, InvalidParameterError, "tv must be one of"),
        ({"spacing": (1, -1)}, InvalidParameterError, "spacing must be a finite number, more than 0"),
        ({"max_iter": -1}, InvalidParameterError, "max_iter must be a finite number, at least 0"),
        ({"time_limit": -1}, InvalidParameterError, "time_limit must be"),
        ({"nan_policy": "omit"}, InvalidParameterError, "nan_policy must be one of 'raise', 'mask'"),
        ({"alpha": 1e39}, InvalidParameterError, r"alpha must be at most 1e\+30"),
        ({"edge_weight": np.full((90, 120), 1e300)}, InvalidParameterError, "must be at most"),
        ({"spacing": (1e300, 1e-300)}, InvalidParameterError, "spacing may differ by a factor of 1e6"),
        ({"callback": 3}, InvalidParameterError, "callback must be None or a function; got 3"),
        ({"random_state": -1}, InvalidParameterError, "random_state must be a finite number, at least 0"),
        ({"random_state": "a"}, InvalidParameterError, "random_state must be a number"),
        ({"random_state": 1.5}, InvalidParameterError, "random_state must be a whole number"),
        ({"backend": "opencl"}, InvalidParameterError, "backend must be one of"),
    ],
)
def test_bad_parameters_are_named(two_blobs, options, error, match):
    image, scribbles, _ = two_blobs
    with pytest.raises(error, match=match):
        segment(image, scribbles, **options)


def test_project_keeps_what_is_convex_and_mends_what_is_not(two_blobs):
    disc = two_blobs[2]
    rng = np.random.default_rng(0)
    noisy = disc ^ (rng.random(disc.shape) < 0.2)
    for target in (disc, noisy, np.clip(disc * 0.6 + rng.normal(0.2, 0.1, disc.shape), 0, 1)):
        result = project(target)
        assert iou(result.mask, disc) > 0.95
        assert result.certificate.convex
        assert result.integrality_gap >= 0
        cost = 1 - 2 * np.asarray(target, float)
        assert result.energy == pytest.approx(cost[result.mask].sum(), rel=1e-5)
        assert result.dual <= np.minimum(cost, 0).sum() + 1e-6


def test_project_holds_what_it_is_told(two_blobs):
    disc = two_blobs[2]
    inside, outside = np.zeros(disc.shape, bool), np.zeros(disc.shape, bool)
    inside[40, 70], outside[40, 25] = True, True
    mask = project(disc, inside=inside, outside=outside).mask
    assert mask[40, 70]
    assert not mask[40, 25]
    with pytest.raises(ScribbleConflictError):
        project(disc, inside=disc, outside=outside)
    with pytest.raises(ScribbleConflictError):
        project(disc, inside=inside, outside=inside)
    with pytest.raises(InvalidImageError, match="inside must have the spatial shape"):
        project(disc, inside=inside[1:])
    with pytest.raises(InvalidImageError, match="outside must be boolean; got dtype float64"):
        project(disc, outside=np.full(disc.shape, np.nan))
    with pytest.raises(
        UnknownKeywordError, match=r"project\(\) got an unknown keyword 'inisde'. Did you mean 'inside'"
    ):
        project(disc, inisde=inside)


def test_projecting_nothing_gives_nothing():
    result = project(np.zeros((10, 12)))
    assert not result.mask.any()
    assert not result.certificate.convex


def test_octagonal_length_is_offered_for_images_and_refused_for_volumes(two_blobs):
    image, scribbles, disc = two_blobs
    result = segment(image, scribbles, tv="octagonal", components="all")
    assert (result.mask & disc).sum() > 0.97 * disc.sum()
    assert result.integrality_gap <= 3e-3 * abs(result.dual)
    with pytest.raises(InvalidParameterError, match="tv='octagonal' measures boundaries in images"):
        segment(np.stack([image] * 4), np.stack([scribbles] * 4), tv="octagonal")
