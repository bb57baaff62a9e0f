"""`time_limit` binds every stage: no call takes much longer, and what it returns keeps its promises."""

import time

import numpy as np
import pytest

from varconvex import Session, demo, segment
from varconvex.shapes import ConvexShape, PolygonShape
from varconvex.threads import deadline, in_time, until

pytestmark = pytest.mark.filterwarnings("ignore::varconvex.errors.VarconvexWarning")

KINDS = [
    {},
    {"shape": "convex"},
    {"unify": "joint"},
    {"shape": "hull"},
    {"shape": "polygon"},
    {"shape": PolygonShape(nodes=65), "unify": "sequential"},
    {"shape": "convex", "unify": "sequential"},
    {"likelihood": "gaussian_mixture"},
    {"predictor": "fcn"},
]

OVER = 0.6
"""Seconds by which a call may exceed its limit, on a machine with other work to do; `python -m benchmarks.interactive
--parts limits` measures it on one without."""


def processor_share():
    """How much of a processor this thread has at present: 1 on a machine with nothing else to do."""
    wall, own = time.perf_counter(), time.thread_time()
    while time.thread_time() - own < 0.03:
        pass
    return 0.03 / (time.perf_counter() - wall)


def ball():
    """A ball in noise (60^3 voxels), and scribbles in it and around it."""
    image = np.random.default_rng(0).normal(scale=0.2, size=(60, 60, 60))
    image += np.sqrt(((np.indices(image.shape) - 30) ** 2).sum(axis=0)) < 15
    scribbles = np.zeros(image.shape, int)
    scribbles[28:32, 26:34, 26:34], scribbles[:, 1:3, 2:-2], scribbles[2, :, 4:6] = 2, 1, 1
    return image, scribbles


def named(keywords):
    """The name of a case, the same one in each process: without an object's address."""
    return ", ".join(f"{name} {value}".split(" object at ")[0] for name, value in keywords.items())


@pytest.mark.slow
@pytest.mark.parametrize("keywords", [*KINDS, {"shape": "convex", "channel_axis": None}], ids=named)
def test_no_stage_takes_much_longer_than_the_limit(keywords):
    image, scribbles = ball() if "channel_axis" in keywords else (demo.photograph(), demo.SCRIBBLES)
    segment(image, scribbles, **keywords)  # compiled
    for limit in (0.0, 0.1, 0.3, 0.6):
        over = []
        while len(over) < 6 and not (over and min(over) < OVER):
            share, begin = processor_share(), time.perf_counter()
            result = segment(image, scribbles, time_limit=limit, **keywords)
            over.append((time.perf_counter() - begin - limit) * min(share, processor_share()))
            assert not result.shapes or keywords["shape"] == "hull" or result.certificate.convex
            assert (result.labels[result.seeds > 0] == result.seeds[result.seeds > 0]).all()
        assert min(over) < OVER


@pytest.mark.parametrize("keywords", [{"shape": "convex"}, {"shape": "polygon"}, {"unify": "joint"}], ids=named)
def test_without_any_time_promises_are_kept(two_blobs, keywords):
    image, scribbles, _ = two_blobs
    result = segment(image, scribbles, time_limit=0, **keywords)
    assert (result.labels[scribbles > 0] == scribbles[scribbles > 0]).all()
    assert not result.certificates or result.certificate.convex
    session = Session(image, time_limit=0, **keywords)
    for label in (1, 2):
        session.add(scribbles == label, label)
    assert (session.result.labels[scribbles > 0] == scribbles[scribbles > 0]).all()


@pytest.mark.parametrize("shape", [(40, 50), (12, 14, 16)])
@pytest.mark.parametrize("seed", range(4))
def test_a_convex_set_found_at_once_is_convex_and_holds_scribbles(seed, shape):
    rng = np.random.default_rng(seed)
    middle = tuple(n // 2 for n in shape)
    away = np.sqrt(sum((x - m) ** 2 for x, m in zip(np.indices(shape), middle, strict=True)))
    target = rng.random(shape) * (away < rng.uniform(0.1, 0.5) * min(shape))
    inside, outside = np.zeros((2, *shape), bool)
    inside[middle], outside[:2] = True, True
    with until(0.0):
        fitted = ConvexShape().fit(target, inside=inside, outside=outside)
    assert fitted.certificate.convex
    assert fitted.mask[inside].all()
    assert not fitted.mask[outside].any()
    np.testing.assert_array_equal(fitted.rasterize(shape), fitted.mask)
    points = np.argwhere(np.ones_like(fitted.mask))
    np.testing.assert_array_equal(fitted(points) <= 0, fitted.mask.ravel())


def test_a_set_that_is_convex_is_its_own_projection_at_once():
    target = np.zeros((40, 50))
    target[np.hypot(*np.mgrid[-20:20, -25:25]) < 13] = 1
    with until(0.0):
        np.testing.assert_array_equal(ConvexShape().fit(target).mask, target == 1)


def test_deadlines_are_nested_and_end():
    assert deadline() == np.inf
    with until(time.perf_counter() + 60), until(np.inf):
        assert deadline() < np.inf
        with until(0.0):
            assert deadline() == 0
            assert in_time(lambda: 1) is None
        assert in_time(lambda: 1) == 1
        assert in_time(lambda: 1, 0.0) is None
    assert deadline() == np.inf
    assert in_time(lambda: 1) == 1
