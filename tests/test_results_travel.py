"""Results and errors leave the process: pickle, deepcopy, spawned workers, joblib, dask, JSON, save and load."""

import copy
import dataclasses
import json
import multiprocessing
import pickle
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import varconvex
from varconvex import (
    FileFormatError,
    GivenPredictor,
    Potts,
    ScribbleConflictError,
    Segmentation,
    TwoPhase,
    UnsupportedTypeError,
    errors,
    pdhg,
    pdhg_batch,
    project,
    segment,
    stationary,
)
from varconvex.result import label_type

RESULTS = {}


def kind(function):
    """Registers how a kind of result is made."""
    RESULTS[function.__name__] = function
    return function


def scene():
    """A noisy disc and a smaller one beside it, with strokes of three labels."""
    rows, columns = np.mgrid[:30, :44]
    disc, other = np.hypot(rows - 15, columns - 12) < 9, np.hypot(rows - 15, columns - 34) < 6
    image = disc * 1.0 + other * 0.5 + np.random.default_rng(0).normal(scale=0.05, size=disc.shape)
    scribbles = np.zeros(disc.shape, np.uint8)
    scribbles[15, 8:16], scribbles[15, 32:36], scribbles[1, 2:40] = 2, 3, 1
    return image, scribbles


def two_labels():
    """The same without the smaller disc's stroke."""
    image, scribbles = scene()
    return image, np.where(scribbles == 3, 1, scribbles)


@kind
def energy_alone():
    return segment(*two_labels())


@kind
def convex():
    return segment(*two_labels(), shape="convex")


@kind
def joint():
    return segment(*two_labels(), shape="convex", unify="joint")


@kind
def two_shapes_and_pixels_outside():
    image, scribbles = scene()
    return segment(image, scribbles, shape={2: "convex", 3: "polygon"}, mask=np.arange(30)[:, None] + 0 * image < 28)


@kind
def map_without_energy():
    image, scribbles = two_labels()
    return segment(image, scribbles, 0, predictor=GivenPredictor(np.clip(image, 0, 1)), shape="hull")


@kind
def projected():
    return project(scene()[0] > 0.5)


@kind
def projected_empty():
    return project(np.zeros((4, 5), bool))


@kind
def projected_volume():
    return project(np.hypot.reduce(np.indices((9, 10, 11)) - 5.0) < 4, "hull")


@kind
def solution():
    return pdhg(TwoPhase(np.random.default_rng(0).normal(size=(9, 10)), 0.5))


@kind
def solution_of_labels():
    return pdhg(Potts(np.random.default_rng(0).normal(size=(3, 9, 10)), 0.5))


@kind
def solutions():
    return pdhg_batch([TwoPhase(np.random.default_rng(i).normal(size=(9, 10)), 0.5) for i in range(2)])


@kind
def solution_without_bound():
    u0 = np.random.default_rng(0).random((9, 10))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.ConvergenceWarning)
        return stationary(varconvex.MumfordShah(u0, 0.1), max_iter=20)


@kind
def progress():
    shown = []
    pdhg(TwoPhase(np.random.default_rng(0).normal(size=(9, 10)), 0.5), callback=shown.append)
    return shown[-1]


@pytest.fixture(scope="module")
def made():
    """Every kind of result, computed once."""
    return {name: make() for name, make in RESULTS.items()}


def same(a, b):
    """Whether two values are equal in type and, to the bit, in all that they consist of."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, varconvex.ICNN):
        return a.hidden == b.hidden and same(a.pack(), b.pack()) and same(a.wx, b.wx) and same(a.wz, b.wz)
    if dataclasses.is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    return a == b or (a != a and b != b)


@pytest.mark.parametrize("name", RESULTS)
def test_results_survive_pickle_and_deepcopy(made, name):
    result = made[name]
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert same(pickle.loads(pickle.dumps(result, protocol)), result)
    assert same(copy.deepcopy(result), result)


@pytest.mark.parametrize("name", ["convex", "projected", "projected_volume", "two_shapes_and_pixels_outside"])
def test_shapes_answer_as_before_and_can_be_changed(made, name):
    result = pickle.loads(pickle.dumps(made[name]))
    for label, shape in result.shapes.items():
        points = np.random.default_rng(0).uniform(0, 9, (50, result.labels.ndim))
        np.testing.assert_array_equal(shape(points), made[name].shapes[label](points))
        grid = tuple(2 * n for n in result.labels.shape)
        np.testing.assert_array_equal(shape.rasterize(grid), made[name].shapes[label].rasterize(grid))
        if network := getattr(shape, "network", None):
            network.unpack(network.pack() + 1)
            assert (network(points) != made[name].shapes[label](points)).all()


ERRORS = [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, Exception)]


@pytest.mark.parametrize("error", ERRORS)
def test_errors_survive_pickle_and_deepcopy(error):
    raised = error("a message", np.array([[3, 4]])) if error is ScribbleConflictError else error("a message")
    raised.add_note("a note")
    copies = [pickle.loads(pickle.dumps(raised, p)) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    copies.append(error.__new__(error, *raised.args))  # as Dask's tblib makes them, which then sets the attributes
    copies[-1].__dict__.update(raised.__dict__)
    for other in [*copies, copy.copy(raised), copy.deepcopy(raised)]:
        assert type(other) is error
        assert str(other) == "a message"
        assert other.__notes__ == ["a note"]
        assert same(getattr(other, "pixels", None), getattr(raised, "pixels", None))


def in_conflict():
    """A target, and a pixel that must be inside and outside of the set."""
    pixel = np.zeros((6, 7), bool)
    pixel[3, 4] = True
    return np.ones((6, 7)), {"inside": pixel, "outside": pixel}


def test_results_and_errors_come_back_from_spawned_processes(made):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for result, back in zip(made.values(), pool.map(copy.copy, made.values(), timeout=120), strict=True):
            assert same(back, result)
        target, held = in_conflict()
        with pytest.raises(ScribbleConflictError) as caught:
            pool.submit(project, target, **held).result(timeout=120)
        assert caught.value.pixels.tolist() == [[3, 4]]
        assert same(pool.submit(project, scene()[0] > 0.5).result(timeout=120).labels, made["projected"].labels)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_results_and_errors_come_back_from_joblib(made):
    joblib = pytest.importorskip("joblib")
    for result, back in zip(
        made.values(), joblib.Parallel(2)(joblib.delayed(copy.copy)(r) for r in made.values()), strict=True
    ):
        assert same(back, result)
    target, held = in_conflict()
    with pytest.raises(ScribbleConflictError) as caught:
        joblib.Parallel(2)(joblib.delayed(project)(target, **held) for _ in range(2))
    assert caught.value.pixels.tolist() == [[3, 4]]


def test_results_come_back_from_dask(made):
    dask = pytest.importorskip("dask")
    back = dask.compute(*(dask.delayed(copy.copy)(result) for result in made.values()), scheduler="processes")
    assert all(map(same, back, made.values()))


def segmentations(made):
    return {name: result for name, result in made.items() if isinstance(result, Segmentation)}


def test_numbers_are_json(made):
    for name, result in segmentations(made).items():
        text = json.dumps(result.to_dict(), allow_nan=False)
        assert json.loads(text)["labels"].keys() == {str(i) for i in np.unique(result.labels)}, name
    numbers = project(np.zeros((1, 1), bool)).to_dict()
    assert json.loads(json.dumps(numbers))["certificate"]["convex"] is False


def test_saved_results_are_read_back_to_the_bit(made, tmp_path):
    for name, result in segmentations(made).items():
        result.save(tmp_path / f"{name}.npz")
        back = Segmentation.load(tmp_path / f"{name}.npz")
        assert same(back, result), name
        assert back.to_dict() == result.to_dict()
        assert repr(back) == repr(result)
        with np.load(tmp_path / f"{name}.npz", allow_pickle=False) as file:
            assert all(file[entry].dtype != object for entry in file.files)
    assert len(list(tmp_path.iterdir())) == len(segmentations(made))


def test_damaged_files_are_named(made, tmp_path):
    path = tmp_path / "result.npz"
    made["convex"].save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    broken = [b"", b"no zip file", whole[:100], whole[: len(whole) // 2], whole[:-1]]
    for _ in range(40):
        bits = bytearray(whole)
        bits[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        broken.append(bytes(bits))
    refused = 0
    for content in broken:
        path.write_bytes(content)
        try:
            assert same(Segmentation.load(path).labels, made["convex"].labels)  # a bit that means nothing
        except FileFormatError:
            refused += 1
    assert refused > 20
    with pytest.raises(FileFormatError, match="does not exist"):
        Segmentation.load(tmp_path / "nothing.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"version": 99},
        {"shapes": {"2": {"class": "ICNN"}}},
        {"fields": {}},
        {"certificates": {"x": {}}},
    ],
)
def test_files_of_other_formats_are_refused(made, tmp_path, change):
    path = tmp_path / "result.npz"
    made["energy_alone"].save(path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays.pop("header")))
    np.savez(path, header=np.array(json.dumps(header | change)), **arrays)
    with pytest.raises(FileFormatError, match=r"result\.npz is not one"):
        Segmentation.load(path)
    np.savez(path, header=np.array(json.dumps(header)), **{**arrays, "costs": arrays["costs"][:, 1:]})
    with pytest.raises(FileFormatError, match="different shapes"):
        Segmentation.load(path)
    np.savez(path, header=np.array([{}], dtype=object))
    with pytest.raises(FileFormatError, match="allow_pickle"):
        Segmentation.load(path)


def test_an_unwritable_file_and_a_foreign_shape_leave_nothing_behind(made, tmp_path):
    class Foreign:
        mask, n_filled = made["convex"].mask, 0

    foreign = dataclasses.replace(made["convex"], shapes={2: Foreign()})
    with pytest.raises(UnsupportedTypeError, match=r"FittedConvex, .*FittedPolygon, .*Foreign.*shapes=\{\}"):
        foreign.save(tmp_path / "a.npz")
    with pytest.raises(FileFormatError, match="cannot be written"):
        made["convex"].save(tmp_path / "no" / "a.npz")
    with pytest.raises(FileFormatError, match="cannot be written"):
        made["convex"].save(tmp_path)
    assert not list(tmp_path.iterdir())
    dataclasses.replace(foreign, shapes={}).save(tmp_path / "a.npz")
    assert Segmentation.load(tmp_path / "a.npz").shape is None


def test_comparisons_are_those_of_the_label_image(made):
    result = made["convex"]
    np.testing.assert_array_equal(result == 2, result.mask)
    np.testing.assert_array_equal(result != 2, ~result.mask)
    np.testing.assert_array_equal(np.full(result.labels.shape, 2) == result, result.mask)
    np.testing.assert_array_equal(result.labels == result, np.ones(result.labels.shape, bool))
    assert (result == copy.deepcopy(result)).all()
    assert not (result == None).any()  # noqa: E711
    with pytest.raises(ValueError, match="ambiguous"):
        bool(result == copy.deepcopy(result))
    assert len({result, made["joint"], result}) == 2


@pytest.mark.parametrize(
    ("ids", "outside", "expected"),
    [
        ((1, 2), False, "u1"),
        ((1, 255), False, "u1"),
        ((1, 256), False, "u2"),
        ((1, 65000), False, "u2"),
        ((1, 65536), False, "u4"),
        ((1, 2**53), False, "u8"),
        ((1, 127), True, "i1"),
        ((1, 128), True, "i2"),
        ((1, 65000), True, "i4"),
        ((1, 2**53), True, "i8"),
    ],
)
def test_labels_have_the_smallest_type(ids, outside, expected):
    assert label_type(ids, outside) == expected
    image, scribbles = two_labels()
    scribbles = np.where(scribbles == 2, ids[1], scribbles.astype(np.int64))
    if outside:
        scribbles[-1] = -1
    result = segment(image, scribbles, max_iter=100)
    assert result.labels.dtype == result.unconstrained.dtype == result.seeds.dtype == expected
    np.testing.assert_array_equal(np.unique(result.labels), [-1, *ids] if outside else ids)
    np.testing.assert_array_equal(result.seeds, scribbles)
    assert result.mask.sum() > 200


def test_the_old_name_of_the_integrality_gap_warns(made):
    with pytest.warns(DeprecationWarning, match="integrality_gap"):
        assert made["convex"].price == made["convex"].integrality_gap
