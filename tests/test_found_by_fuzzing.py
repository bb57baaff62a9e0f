"""Cases that trials have found, which ended in a bare error, a warning of NumPy's or NaN, or said nothing."""

import io

import numpy as np
import pytest

from varconvex import (
    ROF,
    CnnPredictor,
    FcnPredictor,
    MumfordShah,
    Session,
    TwoPhase,
    certify,
    contrast_weight,
    pdhg,
    plots,
    project,
    refine,
    segment,
    stationary,
)  # fmt: skip
from varconvex.adapters import SamPredictor
from varconvex.batch import run
from varconvex.cli import main
from varconvex.errors import (
    AxesWarning,
    InvalidImageError,
    InvalidParameterError,
    NotEnoughMemoryError,
    ScribbleConflictError,
    UnknownKeywordError,
    UnsupportedTypeError,
    VarconvexError,
)  # fmt: skip
from varconvex.geometry.promises import ShapeCertificate
from varconvex.likelihoods import GaussianMixtureLikelihood, HistogramLikelihood
from varconvex.shapes import ConvexShape, EllipseShape, HullShape, KConvexShape, PeriodicShape, SizedShape
from varconvex.tables import page

IMAGE, SCRIBBLES = np.arange(12.0).reshape(3, 4), np.array([[1, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("keywords", [{"spacing": [[1, 2], [3]]}, {"strict": np.zeros(0)}, {"rgba": "yes"}])
def test_keywords_of_another_kind_are_named(keywords):
    with pytest.raises(InvalidParameterError, match=f"{next(iter(keywords))} must"):
        segment(np.stack([IMAGE] * 3, axis=-1), SCRIBBLES, **keywords)


@pytest.mark.parametrize("keywords", [{"certainty": "yes"}, {"channel_axis": "last"}, {"channel_axis": 3}])
def test_keywords_that_a_grey_image_does_not_need_are_checked(keywords):
    with pytest.raises(InvalidParameterError, match=f"{next(iter(keywords))} must"):
        segment(IMAGE, SCRIBBLES, **keywords)


def test_a_second_channel_that_may_be_transparency_is_said():
    with pytest.warns(AxesWarning, match=r"2 channels; pass image\[..., 0\]"):
        segment(np.stack([IMAGE, IMAGE[::-1]], axis=-1), SCRIBBLES, max_iter=0)
    segment(np.stack([IMAGE, IMAGE[::-1]], axis=-1), SCRIBBLES, max_iter=0, channel_axis=2)


@pytest.mark.parametrize(("what", "remedy"), [(io.BytesIO(b"P5"), "read_image"), (iter(IMAGE), "list")])
def test_files_and_iterators_are_named_with_their_remedy(what, remedy):
    with pytest.raises(UnsupportedTypeError, match=f"image must be an array of numbers; got .*{remedy}"):
        segment(what, SCRIBBLES)


def test_a_histogram_of_more_bins_than_numbers_is_refused():
    with pytest.raises(InvalidImageError, match=r"bins; got .* with a bin_width of 1e-300"):
        segment(IMAGE, SCRIBBLES, likelihood=HistogramLikelihood(bin_width=1e-300))


def test_a_seed_that_the_mixture_cannot_take_is_refused():
    with pytest.raises(InvalidParameterError, match="random_state must be at most"):
        GaussianMixtureLikelihood(random_state=2**32)


def test_a_ragged_spacing_of_an_image_is_named():
    with pytest.raises(InvalidParameterError, match="spacing must be a number"):
        contrast_weight(IMAGE, spacing=[[1, 2], [3]])


def test_a_constant_image_has_an_energy():
    assert stationary(MumfordShah(np.full((1, 2, 1), 0.125)), max_iter=40).energy == pytest.approx(0, abs=1e-12)


def test_a_jump_that_costs_next_to_nothing_is_one():
    solution = stationary(MumfordShah([[0.125]], 0.1, jump=1e-310, upper=1e12, tv="anisotropic"), max_iter=40)
    assert np.isfinite(solution.energy)


@pytest.mark.parametrize("weight", [0.0, 1e-310])
def test_a_boundary_that_costs_nothing_beside_costs_next_to_nothing(weight):
    """The minimum is the sum of the negative costs: alpha alone is beyond all numbers in the costs' unit."""
    solution = pdhg(TwoPhase([[1e-310, -2e-310]], 1e12, weight=np.full((1, 2), weight)), max_iter=0)
    assert solution.dual <= min(-2e-310 + 1e12 * weight, 0.0)
    assert solution.dual <= solution.primal < 1e-290


def test_a_quadratic_term_whose_cost_cancels_has_its_own_unit():
    """cost u + (u - target)^2 / 2 with cost = target is u^2 / 2 and a constant, whose minimum is at 0."""
    solution = pdhg(TwoPhase([[0.5]], 1e-310, quadratic_weight=1.0, target=np.array([[0.5]])))
    assert solution.dual <= 0.125 <= solution.primal + 1e-6
    assert float(solution.u[0, 0]) == pytest.approx(0, abs=1e-3)


def test_a_boundary_beyond_all_numbers_in_the_images_unit_is_refused():
    with pytest.raises(InvalidParameterError, match="alpha must be in proportion to the image"):
        pdhg(ROF([[1e-40, 0.0]], 1.9e19))


def test_a_quadratic_term_that_divides_to_infinity_is_refused():
    with pytest.raises(
        InvalidParameterError, match="quadratic_weight other than 0 must be a finite number, at least 1e-30"
    ):
        TwoPhase(IMAGE, 1.0, quadratic_weight=1e-310, target=IMAGE)


@pytest.mark.parametrize("huber", [1e-310, 1e-40, 1e29])
def test_extreme_huber_terms_are_finite(huber):
    solution = pdhg(ROF(IMAGE, 1.0, huber=huber), max_iter=300)
    assert -1e-6 <= solution.dual <= solution.primal < 100


@pytest.mark.parametrize("kind", [FcnPredictor, CnnPredictor])
@pytest.mark.parametrize(
    "wrong",
    [{"hidden": None}, {"hidden": (1e300,)}, {"members": 1e300}, {"inputs": [["rgb"]]}, {"appearance": "known"}],
)
def test_networks_of_another_kind_are_named(kind, wrong):
    with pytest.raises(InvalidParameterError, match=f"{next(iter(wrong))} must"):
        kind(**wrong)


@pytest.mark.parametrize("scribbles", [[[[1], [1, 2]], [[0]]], {1: [(0, 0)], 2: [[[1], [1, 2]]]}])
def test_ragged_scribbles_are_named(scribbles):
    with pytest.raises(VarconvexError):
        segment(IMAGE, scribbles)


@pytest.mark.filterwarnings("ignore::varconvex.ConvergenceWarning")
@pytest.mark.parametrize("cost", [1e-310, 1e-30, -1e-20])
@pytest.mark.parametrize("alpha", [1e29, 1e20, 1.0])
def test_costs_that_are_as_good_as_none_beside_alpha(cost, alpha):
    found = pdhg(TwoPhase(np.full((3, 4), cost), alpha), max_iter=200)
    assert np.isfinite(found.u).all()
    assert found.dual <= min(12 * cost, 0) <= found.primal


def test_a_stroke_of_a_session_that_is_nearer_to_no_pixel_than_the_strokes_before():
    """All pixels of the label's strokes are within one pixel of each other, which is the least distance."""
    session = Session(np.arange(10.0).reshape(2, 5))
    for label, pixels in ((1, [0, 1, 3, 5, 6, 7, 8]), (2, [4, 9]), (1, [2])):
        mask = np.zeros((2, 5), bool)
        mask.flat[pixels] = True
        session.add(mask, label)
        answer = session.result
    np.testing.assert_array_equal(answer.labels, [[1, 1, 1, 1, 2], [1, 1, 1, 1, 2]])


BLOB = np.zeros((12, 12))
BLOB[3:9, 3:9] = 1
STROKES = {"object": [(5, 5), (6, 6)], "background": [(1, 1), (1, 9)]}


@pytest.mark.parametrize("shape", ["frames", "star", "connected", "periodic"])
def test_an_empty_answer_is_refuted_as_its_own_shape(shape):
    """Not as a convex set: the certificate of the shape is false, and is still the one of the shape."""
    found = project(np.zeros((3, 4, 5)), shape)
    assert found.certificate == ShapeCertificate(shape, False, 0)
    assert not certify(found.mask, "frames")
    assert "empty: no pixels" in page(found)


@pytest.mark.parametrize("shape", ["frames", {2: "frames:connected"}])
def test_a_session_refuses_a_shape_of_other_axes_at_once(shape):
    with pytest.raises(InvalidImageError, match=r"FramesShape needs a target with three dimensions; got .*stack"):
        Session(BLOB, shape=shape)
    session = Session(BLOB, shape="convex")
    with pytest.raises(InvalidImageError, match="three dimensions"):
        session.shape = shape
    assert session.shape == "convex"


@pytest.mark.parametrize("count", [None, "3", 0, -1, 2.5, np.nan])
def test_a_number_of_colours_that_is_none_is_named(count):
    with pytest.raises(InvalidParameterError, match="count must be"):
        plots.colours(count)


@pytest.mark.parametrize("transfer", [False, True])
def test_a_batch_says_before_it_computes_that_its_files_hold_no_volumes(tmp_path, monkeypatch, capsys, transfer):
    monkeypatch.setattr("varconvex.sessions.solver.solve", pytest.fail)
    monkeypatch.setattr("varconvex.batch.cut.segment", pytest.fail)
    (tmp_path / "volumes").mkdir()
    np.save(tmp_path / "volumes" / "a.npy", np.stack([BLOB] * 5))
    strokes = np.zeros((5, 12, 12), np.uint8)
    strokes[2, 5, 5], strokes[0, 0, 0] = 2, 1
    np.save(tmp_path / "a-scribbles.npy", strokes)
    more = {"scribbles": tmp_path / "a-scribbles.npy"}
    more |= {"transfer": tmp_path / "volumes" / "a.npy"} if transfer else {}
    failures = run(tmp_path / "volumes", tmp_path / "out", **more).failures
    assert "got a.png. Pass ending='.tif'" in failures["a.png"]
    options = [text for name, path in more.items() for text in (f"--{name}", str(path))]
    assert main(["batch", str(tmp_path / "volumes"), "--out", str(tmp_path / "again"), "--jobs", "1", *options]) == 1
    assert "--format .tif" in capsys.readouterr().err


def test_features_and_weights_of_one_image_do_not_travel_to_another():
    session = Session(BLOB, features=np.stack([BLOB, BLOB.T], axis=-1), edge_weight=np.ones((12, 12)).tolist())
    for name, line in STROKES.items():
        session.add(line, name)
    other = np.zeros((16, 20))
    other[5:12, 4:15] = 1
    np.testing.assert_array_equal(session.transfer(other).result.mask, other > 0)


def test_a_batch_computes_again_where_a_network_has_changed(tmp_path, monkeypatch):
    """Its file counts by its content: as a keyword, as it does as an option of the shell."""
    np.save(tmp_path / "a.npy", BLOB)
    np.save(tmp_path / "a-scribbles.npy", np.where(np.arange(144).reshape(12, 12) == 66, 2, np.eye(12, dtype=int)[0]))
    network = tmp_path / "n.onnx"
    monkeypatch.setattr("varconvex.batch.batch._check_keywords", lambda *given: None)
    monkeypatch.setattr("varconvex.batch.cut.segment", lambda image, strokes, **given: segment(image, strokes))
    counts = []
    for content in (b"one", b"one", b"two"):
        network.write_bytes(content)
        found = run(tmp_path / "a.npy", tmp_path / "out", features=str(network), ending=".npy")
        counts.append((found.done, found.reused))
    assert counts == [(1, 0), (0, 1), (1, 0)]


@pytest.mark.parametrize("shape", [SizedShape(most=40), SizedShape(9), HullShape(), EllipseShape(), PeriodicShape()])
def test_a_session_with_a_shape_that_has_parameters_or_none_is_read_again(tmp_path, shape):
    session = Session(BLOB, shape=shape)
    session.save(tmp_path / "s.npz", image=True)
    again = Session.load(tmp_path / "s.npz").shape
    public = {name: value for name, value in vars(shape).items() if not name.startswith("_")}
    assert type(again) is type(shape)
    assert {name: getattr(again, name) for name in public} == public


def test_a_size_without_a_least_or_a_most_is_told_without_it():
    with pytest.raises(ScribbleConflictError, match="set of at least 100 pixels was found"):
        SizedShape(100).fit(BLOB, outside=BLOB == 0)


@pytest.mark.parametrize("spacing", [(1e-300, 1), (1e300, 1), (1, 2, 3), (0, 1), "x"])
def test_a_spacing_of_a_fit_is_that_of_every_other_door(spacing):
    with pytest.raises(InvalidParameterError, match="spacing m"):
        ConvexShape().fit(BLOB, spacing=spacing)


def test_a_grid_that_no_memory_holds_is_refused():
    for shape in (ConvexShape(), KConvexShape()):
        with pytest.raises(NotEnoughMemoryError, match="pixels needs about"):
            shape.fit(BLOB).rasterize((10**9, 10**9))


@pytest.mark.parametrize("reach", [1e3, 1e9, 1e30])
def test_a_reach_beyond_the_image_is_that_of_the_image(reach):
    """It took hours: a window of so many pixels was summed."""
    found = refine(0.8 * BLOB + 0.1, BLOB, STROKES, reach=reach)
    np.testing.assert_array_equal(found.mask, refine(0.8 * BLOB + 0.1, BLOB, STROKES, reach=17.0).mask)


def test_a_private_parameter_is_not_offered():
    with pytest.raises(UnknownKeywordError, match=r"random_state, energy\.$"):
        SamPredictor(None, colour=3)


@pytest.fixture
def stack(tmp_path):
    """A folder with a volume of three frames and its strokes."""
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "a.npy", np.stack([BLOB] * 3))
    strokes = np.zeros((3, 12, 12), np.uint8)
    strokes[1, 5, 5], strokes[:, 0, 0] = 2, 1
    np.save(tmp_path / "in" / "a-scribbles.npy", strokes)
    return tmp_path / "in", tmp_path / "out"


def test_a_batch_of_volumes_may_have_a_shape_that_images_have_not(stack):
    assert run(*stack, ending=".tif", shape="frames").done == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"options": {"alhpa": 1}}, "got 'alhpa'. Did you mean alpha"),
        ({"options": {"shape": 3}}, "shape must be as in the shell"),
        ({"options": 3}, "options must be None or a dict"),
        ({"reading": 3}, "reading must be None or a dict"),
        ({"opening": {"colour": 3}}, r"open_image\(\) got an unknown keyword"),
    ],
)
def test_what_is_wrong_for_every_image_of_a_batch_is_said_at_once(stack, wrong, message):
    with pytest.raises((InvalidParameterError, UnknownKeywordError), match=message):
        run(*stack, **wrong)


def test_a_batch_whose_settings_have_no_name_says_so(stack):
    failures = run(*stack, ending=".tif", features=lambda image: image).failures
    assert "values that can be pickled" in failures["a.tif"]
