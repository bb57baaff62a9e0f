"""Unions of convex sets: drawn ones are found, strokes are shared among parts, names and messages."""

import numpy as np
import pytest

from benchmarks._judges import is_convex, same_union
from varconvex import KConvexShape, certify, project
from varconvex.errors import InvalidParameterError, ScribbleConflictError
from varconvex.metrics import iou

Y, X = np.indices((96, 110))


def box(first, stop):
    return (first[0] <= Y) & (stop[0] > Y) & (first[1] <= X) & (stop[1] > X)


def disc(row, column, radius):
    return np.hypot(Y - row, X - column) < radius


DRAWN = {
    "L": (2, box((15, 20), (80, 34)) | box((66, 20), (80, 90))),
    "dumbbell": (3, disc(48, 28, 17) | disc(48, 82, 17) | box((44, 28), (52, 82))),
    "apart": (2, disc(30, 30, 18) | disc(66, 76, 20)),
    "T": (2, box((14, 15), (28, 95)) | box((14, 48), (84, 62))),
}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_drawn_unions_are_found(name, noise):
    k, truth = DRAWN[name]
    target = truth ^ (np.random.default_rng(0).random(truth.shape) < noise)
    fitted = KConvexShape(k).fit(target)
    assert same_union(fitted)
    assert len(fitted.parts) == k
    assert all(is_convex(part) for part in fitted.parts)
    cost = 1.0 - 2.0 * target
    assert fitted.energy <= (0.997 if noise == 0 else 1.0) * cost[truth].sum()
    assert iou(fitted.mask, truth) > (0.985 if noise == 0 else 0.92)


def test_one_part_is_as_good_as_the_convex_shape():
    truth = disc(50, 50, 30) ^ (np.random.default_rng(0).random(Y.shape) < 0.2)
    one, convex = KConvexShape(1).fit(truth), project(truth, "convex")
    assert one.energy <= 0.99 * convex.energy
    assert len(KConvexShape(4).fit(disc(50, 50, 30)).parts) == 1


def test_strokes_are_shared_among_parts():
    inside, outside = np.zeros((2, *Y.shape), bool)
    inside[20:70, 20] = inside[70, 20:80] = True
    outside[50, 50] = True
    target = np.full(Y.shape, 0.3)
    with pytest.raises(ScribbleConflictError, match="1 convex part") as caught:
        KConvexShape(1).fit(target, inside=inside, outside=outside)
    assert [50, 50] in caught.value.pixels.tolist()
    fitted = KConvexShape(2).fit(target, inside=inside, outside=outside)
    assert fitted.certificate
    assert fitted.mask[inside].all()
    assert not fitted.mask[50, 50]


def test_names_and_messages():
    mask = DRAWN["L"][1]
    assert np.array_equal(project(mask, "convex:2").mask, project(mask, KConvexShape(2)).mask)
    assert len(project(mask, "k_convex").shape.parts) == 2
    with pytest.raises(InvalidParameterError, match="shape must be one of"):
        project(mask, "convex:two")
    with pytest.raises(InvalidParameterError, match="k must be at most 9"):
        KConvexShape(10)
    with pytest.raises(InvalidParameterError, match="k must be"):
        project(mask, "convex:0")
    parts = project(mask, "convex:2").shape.parts
    assert certify(mask, "k_convex", parts=parts)
    assert not certify(mask, "k_convex", parts=parts[:1])
    assert not certify(mask, "k_convex", parts=mask[None])
    with pytest.raises(InvalidParameterError, match="parts must be masks of the shape"):
        certify(mask, "k_convex")
    empty = KConvexShape().fit(np.zeros((8, 9)))
    assert np.isinf(empty(np.zeros((1, 2)))).all()
    assert not empty.rasterize((4, 4)).any()
