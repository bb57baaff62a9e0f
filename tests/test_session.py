"""`Session`: the answers are those of `segment` for the same strokes, whatever came in between and in which thread."""

import itertools
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from varconvex import NieuwenhuisCremersLikelihood, Session, checks, segment
from varconvex.checks import heard_warnings
from varconvex.errors import (
    FileFormatError,
    InvalidImageError,
    InvalidParameterError,
    InvalidScribblesError,
    ScribbleConflictError,
    UnknownKeywordError,
    UnsupportedTypeError,
)
from varconvex.inputs import blank_scene
from varconvex.sessions.kernel_sums import KernelSums
from varconvex.sessions.strokes import History, touched

OBJECT, SIDES, TOP = [(38, 30), (41, 50)], [(5, 5), (82, 8), (80, 110)], [(4, 10), (6, 112)]


def plain_model(operations, shape):
    """The label image by definition: a stack of labels for each pixel; erasing pops all that are like the top one."""
    stacks = np.empty(shape, object)
    for index in np.ndindex(shape):
        stacks[index] = []
    done, undone = [], []

    def painted():
        for stack in stacks.flat:
            stack.clear()
        for mask, label in done:
            for stack in stacks[mask]:
                if label == "clear":
                    stack.clear()
                elif label == 0:
                    top = stack[-1:] or [None]
                    while stack and stack[-1] == top[0]:
                        stack.pop()
                else:
                    stack.append(label)
        return np.array([stack[-1] if stack else 0 for stack in stacks.flat]).reshape(shape)

    for kind, mask, label in operations:
        before = painted()
        if kind == "undo":
            undone += [done.pop()] if done else []
        elif kind == "redo":
            done += [undone.pop()] if undone else []
        else:
            changes = {"add": mask.any(), "erase": (mask & (before > 0)).any(), "clear": (before > 0).any()}[kind]
            if changes:
                done.append((np.ones(shape, bool) if kind == "clear" else mask, label))
                undone.clear()
        yield painted()


@pytest.fixture
def session(two_blobs):
    """Strokes on object and background of a photograph-like image."""
    session = Session(two_blobs[0])
    session.add(OBJECT, "object")
    session.add(SIDES, "background")
    return session


@pytest.mark.parametrize("seed", range(4))
def test_the_label_image_is_that_of_the_operations(seed):
    rng, shape = np.random.default_rng(seed), (5, 6)
    history, operations = History(shape), []
    for _ in range(60):
        kind = rng.choice(["add", "erase", "clear", "undo", "redo"], p=[0.45, 0.22, 0.03, 0.18, 0.12])
        label = {"erase": 0, "clear": "clear"}.get(kind, int(rng.integers(1, 4)))
        operations.append((kind, rng.random(shape) < rng.choice([0.0, 0.1, 0.4]), label))
    versions = {history.version}
    for (kind, mask, label), expected in zip(operations, plain_model(operations, shape), strict=True):
        pixels = touched(mask, shape, None)
        if kind == "add":
            history.add(label, pixels)
        elif kind == "erase":
            history.erase(pixels)
        elif kind == "clear":
            history.clear()
        else:
            history.go(-1 if kind == "undo" else 1)
        np.testing.assert_array_equal(history.image, expected)
        assert history.labels == tuple(np.unique(expected[expected > 0]))
        versions.add(history.version)
    assert len(versions) == len(operations) + 1


@pytest.mark.parametrize("keywords", [{}, {"shape": "convex"}, {"unify": "joint"}, {"tv": "anisotropic", "alpha": 5}])
def test_the_answer_is_that_of_segment(two_blobs, keywords):
    image = two_blobs[0]
    session = Session(image, **keywords)
    session.add(OBJECT, "object")
    session.add(SIDES, "background")
    result = session.result
    expected = segment(image, {"object": OBJECT, "background": SIDES}, **keywords)
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_array_equal(result.seeds, expected.seeds)
    assert result.energy == pytest.approx(expected.energy)
    assert session.result is result


@pytest.mark.parametrize(
    ("keywords", "columns"), [({"mask": True}, 120), ({"nan_policy": "mask"}, 120), ({"spacing": (2, 1)}, 120), ({}, 3)]
)
def test_the_image_is_read_as_segment_reads_it(two_blobs, keywords, columns):
    image = two_blobs[0][:, :columns].copy()
    if "mask" in keywords:
        keywords = {"mask": np.arange(columns) < 100}
        keywords["mask"] = np.broadcast_to(keywords["mask"], image.shape[:2])
    if "nan_policy" in keywords:
        image[60:64] = np.nan
    session = Session(image, **keywords)
    session.add([(30, 1), (40, 1)], 2)
    session.add([(5, 0), (5, columns - 1)], 1)
    np.testing.assert_array_equal(session.result, segment(image, session.scribbles, **keywords))


@pytest.fixture
def photograph(rng):
    """A scene without scribbles with colours of all kinds, smooth and noisy, part of which is invalid."""
    image = gaussian_filter(rng.random((70, 90, 3)), (6, 6, 0)) + 0.02 * rng.random((70, 90, 3))
    image[10:12, 60:] = np.nan
    return blank_scene(image, nan_policy="mask", spacing=(1, 1.3))


def walk(rng, scene, width, count=9):
    """Label images after one stroke after the other, some erased again."""
    image = np.zeros(scene.seeds.shape, int)
    for n in range(count):
        line = rng.uniform((0, 0), image.shape, (2, 2))
        image = image.copy()
        image.ravel()[touched(line, image.shape, width)] = 1 + n % 2 if n != 5 else 0
        if n > 1:
            yield scene.with_scribbles(image, (1, 2))


@pytest.mark.parametrize(("sigma", "clip", "detour"), [(0.1, 3.0, None), (0.1, None, 2.0), (1e-3, 3.0, 0.0)])
def test_kept_sums_of_few_pixels_are_those_of_all_strokes_at_once(rng, photograph, sigma, clip, detour, backend):
    likelihood = NieuwenhuisCremersLikelihood(sigma=sigma, clip=clip, backend=backend, detour=detour)
    kept = KernelSums.of(likelihood, photograph.image)
    for scene in walk(rng, photograph, 1):
        assert scene.seeds.max(initial=0) == 2
        error = np.abs(kept.costs(scene) - likelihood.costs(scene))
        assert error.max() <= (0.01 if sigma == 0.1 else 0.01 + 1e-5 * likelihood.costs(scene).max())


def test_kept_sums_of_many_pixels_are_as_near_to_that_of_all(rng, photograph):
    likelihood = NieuwenhuisCremersLikelihood(max_seeds=100)
    full, kept = replace(likelihood, max_seeds=10**6), KernelSums.of(likelihood, photograph.image)
    ours, theirs = [], []
    for scene in walk(rng, photograph, 5, 14):
        expected = full.costs(scene)
        assert (scene.seeds > 0).sum() > 300
        ours.append(np.abs(kept.costs(scene) - expected).mean())
        theirs.append(np.abs(likelihood.costs(scene) - expected).mean())
    assert np.mean(ours) <= 1.1 * np.mean(theirs)


def test_sums_are_kept_for_one_image_and_for_strokes_that_were_taken_away(rng, photograph, monkeypatch):
    kept, other = KernelSums.of(NieuwenhuisCremersLikelihood(), photograph.image), blank_scene(rng.random((20, 20)))
    scene, more = itertools.islice(walk(rng, photograph, 1), 2)
    first = kept.costs(scene)
    assert kept.costs(other.with_scribbles(np.pad([[1, 2]], ((0, 19), (0, 18))), (1, 2))).shape == (2, 20, 20)
    kept.costs(more)
    monkeypatch.setattr(KernelSums, "_computed", None)
    np.testing.assert_array_equal(kept.costs(scene), first)


def test_one_more_stroke_changes_the_answer_as_a_fresh_call_does(two_blobs):
    image, rng = np.kron(two_blobs[0], np.ones((2, 2, 1))), np.random.default_rng(4)
    session = Session(image)
    session.add(2 * np.array(OBJECT), 2, width=25)
    session.add(2 * np.array(SIDES), 1, width=9)
    for n in range(5):
        session.add(rng.uniform((0, 150), (180, 240), (2, 2)) if n % 2 else 2 * np.array(OBJECT) + n, 1 + (n + 1) % 2)
        difference = session.result.labels != segment(image, session.scribbles).labels
        assert np.count_nonzero(difference) <= 0.002 * difference.size


def test_undo_returns_to_the_answer_bit_for_bit(session):
    first = session.result
    kept = {name: getattr(first, name).copy() for name in ("labels", "probability", "costs", "seeds")}
    session.add(TOP, 1)
    second, version = session.result, session.version
    assert second is not first
    assert session.undo()
    assert session.version != version
    begin = time.perf_counter()
    assert session.result is first
    assert time.perf_counter() - begin < 0.02
    for name, value in kept.items():
        np.testing.assert_array_equal(getattr(first, name), value)
    assert session.redo()
    assert session.result is second
    assert not session.redo()
    session.clear()
    assert (session.labels, session.ready, session.result, session.preview()) == ((), False, None, None)
    assert session.undo()
    assert session.result is second


@pytest.mark.filterwarnings("ignore::varconvex.errors.ConvergenceWarning")
def test_warnings_stay_with_the_answer_they_came_with(two_blobs):
    image, scribbles, _ = two_blobs
    session = Session(image, max_iter=1, tol=1e-9)
    session.add(scribbles == 1, 1)
    session.add(scribbles == 2, 2)
    assert session.warnings == ()
    with heard_warnings() as heard:
        assert not session.result.converged
    (text,) = session.warnings
    assert "max_iter" in text
    assert heard == [text]
    session.clear()
    assert session.warnings == ()
    session.undo()
    assert session.warnings == (text,)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_warnings_are_heard_by_the_thread_they_come_in():
    heard = {}

    def warned(name):
        with heard_warnings() as heard[name]:
            met.wait(10)
            checks.warn_caller(name, UserWarning)
            met.wait(10)

    met = threading.Barrier(2)
    threads = [threading.Thread(target=warned, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"a": ["a"], "b": ["b"]}


def test_erasing_uncovers_what_was_below(session):
    before = session.scribbles
    session.add([(30, 40), (50, 40)], 3, width=5)
    session.add([(33, 40), (47, 40)], 3, width=7)
    assert session.labels == (1, 2, 3)
    session.erase(np.ones(before.shape, bool) & (session.scribbles == 3))
    np.testing.assert_array_equal(session.scribbles, before)
    session.erase([(38, 30), (41, 50)], width=20)
    assert session.labels == (1,)
    assert not session.ready


@pytest.mark.parametrize("width", [1, 3, 7.5])
@pytest.mark.parametrize("shape", [(30, 40), (9, 14, 12)])
def test_a_stroke_is_what_is_near_its_line(rng, shape, width):
    line = rng.uniform(-10, np.array(shape) + 10, (5, len(shape)))
    pixels = np.indices(shape).reshape(len(shape), -1).T
    away = np.full(len(pixels), np.inf)
    for a, b in itertools.pairwise(line):
        t = np.clip((pixels - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        away = np.minimum(away, np.linalg.norm(pixels - a - t[:, None] * (b - a), axis=1))
    drawn = np.isin(np.arange(len(pixels)), touched(line, shape, width))
    # Brush positions are pixels, at most half a pixel along each axis from the line and half a pixel apart.
    slack = 0.5 * len(shape) ** 0.5 + 0.5
    assert drawn[away <= width / 2 - slack].all()
    assert not drawn[away > width / 2 + slack].any()
    assert drawn.any()


def test_strokes_off_the_image_are_clipped(session):
    version, scribbles = session.version, session.scribbles
    for line in ([(-500.0, 20.0)], [(1e308, -1e308), (1e308, 1e308)], np.full((3, 2), 1e18), [(-9, -9), (-9, 500)]):
        session.add(line, 2)
    assert session.version != version
    np.testing.assert_array_equal(session.scribbles, scribbles)
    session.add([(-1e6, 60), (1e6, 60)], 2, width=1)
    np.testing.assert_array_equal(np.argwhere(session.scribbles != scribbles)[:, 1], 60)
    assert (session.scribbles[:, 60] == 2).all()
    assert session.undo()
    np.testing.assert_array_equal(session.scribbles, scribbles)


def test_pixels_outside_of_the_mask_bear_no_stroke(two_blobs):
    mask = np.zeros((90, 120), bool)
    mask[:, :60] = True
    session = Session(two_blobs[0], mask=mask)
    session.add([(5, 5), (5, 115)], 1)
    session.add([(40, 70), (40, 110)], 2)
    assert session.labels == (1,)
    assert not session.scribbles[~mask].any()


@pytest.mark.parametrize(
    ("stroke", "label", "width", "error", "message"),
    [
        ([(np.nan, 3.0)], 2, None, InvalidScribblesError, r"finite points of shape \(n, 2\).*Pass"),
        ([], 2, None, InvalidScribblesError, "finite points"),
        ([(1, 2, 3)], 2, None, InvalidScribblesError, r"each of the 2 spatial axes \(90, 120\); got points with 3"),
        (
            np.zeros((90, 121), bool),
            2,
            None,
            InvalidScribblesError,
            r"shape \(90, 120\).*got a mask of shape \(90, 121",
        ),
        ([(1, 2)], "<b>sky</b>", None, InvalidScribblesError, r"'background', 'object' or a whole number.*<b>sky"),
        ([(1, 2)], 0, None, InvalidScribblesError, "whole number from 1 on; got 0"),
        ([(1, 2)], True, None, InvalidScribblesError, "got True"),
        ([(1, 2)], 2**80, None, InvalidScribblesError, "got 1208925819614629174706176"),
        ([(1, 2)], 2, 0, InvalidParameterError, "width must be a finite number, more than 0"),
        ([(1, 2)], 2, np.inf, InvalidParameterError, "width must be a finite number"),
    ],
)
def test_what_is_no_stroke_is_refused_and_changes_nothing(session, stroke, label, width, error, message):
    before, version = session.scribbles, session.version
    with pytest.raises(error, match=message):
        session.add(stroke, label, width=width)
    if label == 2:
        with pytest.raises(error, match=message):
            session.erase(stroke, width=width)
    assert session.version == version
    np.testing.assert_array_equal(session.scribbles, before)


@pytest.mark.parametrize(
    ("image", "keywords", "error", "message"),
    [
        (np.ones((4, 5)), {"shap": "convex"}, UnknownKeywordError, r"Session\(\) got .*'shap'. Did you mean 'shape'"),
        (np.eye(9), {"scribbles": np.eye(9)}, UnknownKeywordError, "'scribbles'"),
        (np.eye(9), {"shape": "convax"}, InvalidParameterError, "mean 'convex'"),
        (np.eye(9), {"tol": -1}, InvalidParameterError, "tol must be"),
        (np.eye(9), {"edge_weight": np.ones((8, 9))}, InvalidParameterError, r"edge_weight .*\(9, 9\)"),
        (np.eye(9), {"edge_weight": "contrats"}, InvalidParameterError, "edge_weight must be one of 'contrast'"),
        (np.eye(9), {"mask": np.zeros((9, 9))}, InvalidImageError, "mask must mark"),
        (np.full((9, 9), np.nan), {}, InvalidImageError, "finite"),
        (np.ones((9, 9, 9, 9, 9)), {}, InvalidImageError, "2-D or 3-D or 4-D"),
        (np.ones((9, 9, 4)), {}, InvalidImageError, "4 channels"),
        (np.ones(9), {}, InvalidImageError, "1-D"),
        (np.full((9, 9), "a"), {}, UnsupportedTypeError, "bools, integers or floats"),
    ],
)
def test_bad_images_and_keywords_are_named_at_once(image, keywords, error, message):
    with pytest.raises(error, match=message):
        Session(image, **keywords)


@pytest.mark.parametrize(
    ("shape", "keywords", "spatial"),
    [
        ((9, 8), {}, (9, 8)),
        ((9, 8, 3), {}, (9, 8)),
        ((3, 9, 8), {"channel_axis": 0}, (9, 8)),
        ((9, 8, 7), {}, (9, 8, 7)),
        ((9, 8, 7), {"channel_axis": 2}, (9, 8)),
        ((9, 8, 3), {"channel_axis": None}, (9, 8, 3)),
        ((9, 8, 7, 3), {}, (9, 8, 7)),
        ((9, 8, 4), {"rgba": True}, (9, 8)),
    ],
)
def test_the_spatial_axes_are_found(rng, shape, keywords, spatial):
    assert Session(rng.random(shape), **keywords).scribbles.shape == spatial


def test_strict_sessions_refuse_strokes_that_cross(two_blobs):
    session = Session(two_blobs[0], strict=True)
    session.add(OBJECT, 2)
    with pytest.raises(ScribbleConflictError, match="Erase one of the strokes") as caught:
        session.add([(30, 40), (50, 40)], 1)
    assert (session.scribbles[tuple(caught.value.pixels.T)] == 2).all()
    assert session.labels == (2,)


def test_a_label_without_strokes_waits(two_blobs):
    session = Session(two_blobs[0], {2: "convex", 3: "convex"})
    session.add(OBJECT, 2)
    assert not session.ready
    session.add([(58, 92), (62, 98)], 3)
    assert not session.ready  # a shape stands on a background
    session.add(SIDES, 1)
    assert set(session.result.certificates) == {2, 3}
    assert session.undo()
    assert session.undo()
    session.add(SIDES, 1)
    assert set(session.result.certificates) == {2}
    plain = Session(two_blobs[0])
    plain.add(OBJECT, 5)
    plain.add([(58, 92), (62, 98)], 3)
    assert plain.ready
    np.testing.assert_array_equal(plain.result, segment(two_blobs[0], plain.scribbles))


def test_what_segment_refuses_is_raised_by_the_result(two_blobs):
    session = Session(two_blobs[0], "convex")
    session.add([(40, 30), (40, 50)], 2)
    session.add([(40, 40)], 1)
    for ask in (lambda: session.result, session.preview):
        with pytest.raises(ScribbleConflictError):
            ask()
    assert session.undo()
    session.add(SIDES, 1)
    assert session.result.certificate.convex


def test_the_users_arrays_stay_as_they_are(two_blobs):
    image, stroke, mask = two_blobs[0].copy(), np.array(OBJECT, float), np.ones((90, 120), bool)
    given = [array.copy() for array in (image, stroke, mask)]
    session = Session(image, mask=mask)
    session.add(stroke, 2)
    session.add(SIDES, 1)
    session.scribbles[:] = 7
    expected = session.result.labels.copy()
    for array, before in zip((image, stroke, mask), given, strict=True):
        np.testing.assert_array_equal(array, before)
    image[:], mask[:] = 0, False
    session.add([(1, 1)], 1)
    assert np.count_nonzero(session.result.labels != expected) < 0.01 * expected.size


def test_strokes_that_come_while_it_is_solved_are_part_of_the_answer(two_blobs):
    """Fifty strokes from one thread, results and previews asked for in others."""
    image, rng = np.kron(two_blobs[0], np.ones((3, 3, 1))), np.random.default_rng(0)
    session, done, seen = Session(image, backend="numba"), threading.Event(), []
    strokes = [(rng.uniform(0, (270, 360), (3, 2)), int(label)) for label in rng.integers(1, 3, 50)]

    def draw():
        for line, label in strokes:
            session.add(line, label)
            time.sleep(0.004)
        done.set()

    def ask():
        while not done.is_set():
            seen.append(session.result)
            session.preview(lambda result, version: seen.append(result))

    threads = [threading.Thread(target=target, daemon=True) for target in (draw, ask, ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    at_once = Session(image)
    for line, label in strokes:
        at_once.add(line, label)
    np.testing.assert_array_equal(session.scribbles, at_once.scribbles)
    difference = session.result.labels != segment(image, at_once.scribbles).labels
    assert np.count_nonzero(difference) <= 0.002 * difference.size


class Slow:
    """A likelihood that takes its time, in steps between which it can be interrupted as kernels are."""

    def __init__(self, seconds=5.0):
        self.seconds, self.begun = seconds, threading.Event()

    def costs(self, scene):
        from varconvex.threads import checkpoint

        self.begun.set()
        for _ in range(round(self.seconds / 0.002)):
            checkpoint()
            time.sleep(0.002)
        return np.zeros((len(scene.labels), *scene.seeds.shape), np.float32)


@pytest.mark.parametrize("how", ["cancel", "add"])
def test_a_solve_that_is_not_wanted_any_more_stops_at_once(two_blobs, how):
    slow, found = Slow(), []
    session = Session(two_blobs[0], likelihood=slow)
    session.add(OBJECT, 2)
    session.add(SIDES, 1)
    thread = threading.Thread(target=lambda: found.append(session.result), daemon=True)
    thread.start()
    assert slow.begun.wait(5)
    slow.seconds = 0.0
    begin = time.perf_counter()
    if how == "cancel":
        session.cancel()
    else:
        session.add(TOP, 1)
    thread.join(5)
    assert not thread.is_alive()
    assert time.perf_counter() - begin < (0.05 if how == "cancel" else 1.0)
    if how == "cancel":
        assert found == [None]
        assert session.result is not None  # asked for again
    else:
        assert found == [session.result]
        np.testing.assert_array_equal(found[0].seeds, session.scribbles)


def test_a_background_thread_calls_back_with_the_result_of_the_newest_strokes_only(two_blobs):
    image = np.kron(two_blobs[0], np.ones((4, 4, 1)))
    session, called, arrived = Session(image, likelihood="histogram"), [], threading.Event()
    session.add(4 * np.array(OBJECT), 2)
    session.add(4 * np.array(SIDES), 1)

    def note(result, version):
        called.append((result, version, threading.current_thread()))
        arrived.set()

    coarse = session.preview(note)
    session.add(4 * np.array(TOP), 1)
    coarse = session.preview(note)
    assert coarse.labels.shape == image.shape[:2]
    assert arrived.wait(20)
    result, version, thread = called[-1]
    assert result is session.result
    assert version == session.version
    assert thread is not threading.current_thread()
    assert np.count_nonzero(coarse.labels != result.labels) < 0.02 * result.labels.size
    np.testing.assert_array_equal(coarse.seeds, result.seeds)
    np.testing.assert_array_equal(coarse.labels[result.seeds > 0], result.seeds[result.seeds > 0])
    assert session.preview() is result
    assert all(v == version or r is not result for r, v, _ in called)


@pytest.mark.parametrize("shape", [None, {2: "convex"}, {2: "convex", 3: "convex"}])
def test_the_preview_has_all_labels_strokes_and_what_is_outside(two_blobs, shape):
    image = np.kron(two_blobs[0], np.ones((4, 4, 1)))
    mask = np.ones(image.shape[:2], bool)
    mask[:, 440:] = False
    session = Session(image, shape, mask=mask, unify="sequential")
    for line, label in ((OBJECT, 2), ([(58, 92), (62, 98)], 3), (SIDES, 1), (TOP, 1)):
        session.add(4 * np.array(line), label)
    coarse, fine = session.preview(), session.result
    assert coarse is not fine
    assert coarse.labels.dtype == fine.labels.dtype
    np.testing.assert_array_equal(coarse.seeds, fine.seeds)
    np.testing.assert_array_equal(coarse.labels == -1, ~mask)
    np.testing.assert_array_equal(coarse.labels[coarse.seeds > 0], coarse.seeds[coarse.seeds > 0])
    assert np.count_nonzero(coarse.labels != fine.labels) < 0.01 * mask.sum()


@pytest.mark.parametrize("shape", [None, "convex"])
def test_the_preview_of_a_volume(rng, shape):
    truth = np.linalg.norm(np.indices((60, 70, 64)) - np.array([30, 35, 32])[:, None, None, None], axis=0) < 18
    session = Session(
        truth + rng.normal(scale=0.1, size=truth.shape), shape, likelihood="histogram", unify="sequential"
    )
    session.add([(30, 30, 30), (30, 40, 34)], 2, width=5)
    session.add([(5, 5, 5), (5, 60, 60)], 1, width=5)
    assert np.count_nonzero(session.preview().mask != truth) < 0.1 * truth.sum()


def test_a_callback_that_asks_for_its_own_result_is_told(two_blobs):
    session = Session(two_blobs[0], callback=lambda progress: session.result)
    session.add(OBJECT, 2)
    session.add(SIDES, 1)
    with pytest.raises(InvalidParameterError, match="must not ask for the result"):
        session.result  # noqa: B018


def test_random_numbers_begin_anew(two_blobs):
    session = Session(two_blobs[0], "convex", unify="sequential", random_state=np.random.default_rng(5))
    session.add(OBJECT, 2)
    session.add(SIDES, 1)
    expected = segment(
        two_blobs[0], session.scribbles, shape="convex", unify="sequential", random_state=np.random.default_rng(5)
    )
    np.testing.assert_array_equal(session.result, expected)
    session.add([(1, 1)], 1)
    session.erase([(1, 1)], width=9)
    np.testing.assert_array_equal(session.result, expected)


def test_answers_beyond_the_memory_limit_are_computed_again(session, monkeypatch):
    monkeypatch.setattr("varconvex.sessions.latest._REMEMBERED", 10)
    first = session.result
    assert session.result is first
    session.add(TOP, 1)
    assert session.result is not first
    session.undo()
    again = session.result
    assert again is not first
    np.testing.assert_array_equal(again.labels, first.labels)


@pytest.mark.parametrize("with_image", [True, False])
def test_a_saved_session_goes_on(two_blobs, tmp_path, with_image):
    image = two_blobs[0]
    weight = np.linspace(0.5, 1, 90 * 120).reshape(90, 120) if with_image else "contrast"
    session = Session(image, {2: "convex"}, alpha=3, edge_weight=weight, spacing=(1, 1.5), likelihood="histogram")
    session.add(OBJECT, 2)
    session.add(SIDES, 1)
    session.add([(58, 92), (62, 98)], 3)
    path = tmp_path / "session.npz"
    session.save(path, image=with_image)
    if not with_image:
        with pytest.raises(InvalidImageError, match=r"saved without it. Pass image="):
            Session.load(path)
        with pytest.raises(InvalidImageError, match=r"must have the spatial shape \(90, 120\)"):
            Session.load(path, image=image[:-1])
    again = Session.load(path, None if with_image else image)
    np.testing.assert_array_equal(again.scribbles, session.scribbles)
    np.testing.assert_array_equal(again.result, session.result)
    assert again.undo()
    assert again.labels == (1, 2)


def test_parts_are_saved_and_what_cannot_be_is_named(two_blobs, tmp_path):
    from varconvex import ConvexShape, NieuwenhuisCremersLikelihood

    path = tmp_path / "session.npz"
    session = Session(
        two_blobs[0], ConvexShape(hidden=(12,), steps=(2,)), likelihood=NieuwenhuisCremersLikelihood(sigma=0.2)
    )
    session.save(path, image=True)
    again = Session.load(path)
    for loaded in (session, again):
        loaded.add(OBJECT, 2)
        loaded.add(SIDES, 1)
    np.testing.assert_array_equal(again.result, session.result)
    with pytest.raises(UnsupportedTypeError, match="parts of varconvex to be saved; got likelihood="):
        Session(two_blobs[0], likelihood=Slow()).save(path)
    with pytest.raises(FileFormatError, match="cannot be written"):
        session.save(tmp_path / "no" / "folder.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", None])
def test_other_files_are_no_sessions(tmp_path, content):
    path = tmp_path / "session.npz"
    if content is None:
        np.savez(path, header=np.array('{"format": "varconvex.Session", "version": 99}'))
    else:
        path.write_bytes(content)
    with pytest.raises(FileFormatError, match="a session in format 1"):
        Session.load(path)


def test_strokes_are_transferred_to_another_image(two_blobs, session, tmp_path):
    image, _, disc = two_blobs
    other = session.transfer(np.roll(image, (12, 25), (0, 1)))
    assert other.ready
    assert other.labels == ()
    moved = np.roll(disc, (12, 25), (0, 1))
    assert (other.result.mask & moved).sum() > 0.95 * moved.sum()  # the square has the disc's colour
    other.add([(52, 60), (52, 70)], "object")
    union = other.result.mask | moved
    assert np.count_nonzero(other.result.mask & moved) > 0.95 * np.count_nonzero(union)
    other.save(tmp_path / "taught.npz", image=True)
    again = Session.load(tmp_path / "taught.npz")
    np.testing.assert_array_equal(again.result, other.result)
    third = other.transfer(image)
    assert (third.result.mask & disc).sum() > 0.95 * disc.sum()
    with pytest.raises(InvalidImageError, match="must have 3 channels"):
        session.transfer(image[..., 0])
    with pytest.raises(InvalidScribblesError, match="at least two labels"):
        Session(image).transfer(image)


def test_a_transferred_object_has_its_shape(two_blobs):
    image, _, disc = two_blobs
    image = image.copy()
    image[:, 75:] = image[:, :45]
    session = Session(image, "convex")
    session.add(OBJECT, 2)
    session.add(SIDES, 1)
    alone = session.transfer(np.pad(image[:, :70], ((0, 0), (0, 9), (0, 0)), "edge"))
    assert alone.result.certificate.convex
    assert np.count_nonzero(alone.result.mask[:, :70] != disc[:, :70]) < 0.05 * disc.sum()
    alone.add(OBJECT, 2)
    alone.add([(5, 5), (82, 8), (80, 70)], 1)
    assert alone.result.objective  # joint again, with strokes of all labels


def test_a_new_shape_is_as_if_it_had_been_there_from_the_start(two_blobs):
    """Strokes and history stay, answers are new, and a shape that cannot be used changes nothing."""
    image = two_blobs[0]
    session = Session(image)
    for label, line in ((2, OBJECT), (1, SIDES), (1, TOP)):
        session.add(line, label)
    assert session.known is None
    free = session.result
    assert session.known is free
    version = session.version
    with pytest.raises(InvalidParameterError, match="cube"):
        session.shape = "cube"
    assert (session.shape, session.version, session.known) == (None, version, free)
    session.shape = {2: "hull"}
    assert session.version > version
    assert session.known is None
    expected = segment(image, session.scribbles, shape={2: "hull"})
    np.testing.assert_array_equal(session.result.labels, expected.labels)
    assert set(session.result.certificates) == {2}
    assert session.undo()
    assert session.known is None
    assert session.redo()
    session.shape = None
    np.testing.assert_array_equal(session.result.labels, free.labels)


def test_a_new_shape_stops_a_solve_for_the_former_one(two_blobs):
    started, seen = threading.Event(), []

    def slow(progress):
        seen.append(progress)
        started.set()
        time.sleep(0.02)

    session = Session(two_blobs[0], tol=0, max_iter=100_000, callback=slow)
    session.add(OBJECT, 2)
    session.add(SIDES, 1)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(session.preview(lambda *_: answers.append("stale"))))
    thread.start()
    assert started.wait(20)
    session.shape = "hull"
    session.cancel()
    thread.join(2)
    assert not thread.is_alive()
    assert answers == [None]


@pytest.mark.parametrize(("axis", "shape"), [(None, (20, 30)), (0, (3, 20, 30)), (-1, (20, 30, 3))])
def test_the_image_is_given_back_channels_last(rng, axis, shape):
    image = rng.random(shape)
    session = Session(image, channel_axis=axis, spacing=(2, 1))
    np.testing.assert_array_equal(session.image, image if axis is None else np.moveaxis(image, axis, -1))
    assert not session.image.flags.writeable
    assert session.spacing[0] == pytest.approx(2 * session.spacing[1])
    with pytest.raises(ValueError, match="read-only"):
        session.image[0] = 0


def test_certainty_is_that_of_the_result_and_not_of_a_preview(rng):
    image = rng.normal(0, 0.05, (300, 320)) + (np.hypot(*np.mgrid[-150:150, -160:160]) < 60)
    session = Session(image, certainty=True)
    session.add([(145, 150), (155, 170)], "object")
    session.add([(20, 20), (20, 300)], "background")
    coarse = session.preview()
    assert coarse.certainty is None
    found = session.result
    assert found.certainty.shape == image.shape
    least, most = found.area_interval()
    assert least <= found.mask.sum() <= most
