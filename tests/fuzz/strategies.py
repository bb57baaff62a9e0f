"""What the laws are tried on: images, scribbles in all their forms, keywords, costs, masks and things that are none.

Contents of arrays are drawn by NumPy from a seed that Hypothesis draws: a hundred times faster than number by number.
"""

import numpy as np
from hypothesis import strategies as st

GENERATORS = st.integers(0, 2**32 - 1).map(np.random.default_rng)
TVS = st.sampled_from(["isotropic", "anisotropic", "octagonal"])
EXTREMES = (0.0, 1.0, -1.0, 1e-310, 1e-40, 1e-12, 1e12, 1.9e19, 1e29, 1e31, 1e200, -1e300, np.nan, np.inf)
DTYPES = ("?", "u1", "i1", "u2", "i2", "u4", "i4", "i8", "u8", "f2", "f4", "f8", ">f4", ">u2")
SPACINGS = st.one_of(
    st.none(), st.sampled_from([1.0, 2.0, 1e-30, 1e30]), st.tuples(st.floats(0.1, 10), st.floats(0.1, 10))
)


@st.composite
def shapes(draw, ndim=None, least=1):
    """Shape of an image or a volume of a few pixels."""
    ndim = ndim or draw(st.sampled_from([2, 2, 2, 3]))
    return tuple(draw(st.lists(st.integers(least, 6 if ndim == 2 else 4), min_size=ndim, max_size=ndim)))


@st.composite
def arrays(draw, shape, extreme=False):
    """Floats of one shape: of any scale and offset, with ties, constants, or a few extreme numbers."""
    rng = draw(GENERATORS)
    kind = draw(st.sampled_from(["normal", "whole", "constant", "scaled", "zeros", "sparse"]))
    values = rng.normal(size=shape)
    if kind == "whole":
        values = rng.integers(-3, 4, shape).astype(float)
    elif kind == "constant":
        values = np.full(shape, values.flat[0])
    elif kind == "scaled":
        values = values * 10.0 ** rng.integers(-12, 13) + rng.normal() * 10.0 ** rng.integers(-12, 7)
    elif kind == "zeros":
        values = np.zeros(shape)
    elif kind == "sparse":
        values = values * (rng.random(shape) < 0.3)
    if extreme and draw(st.booleans()):
        values.flat[rng.integers(values.size)] = draw(st.sampled_from(EXTREMES))
    return values


@st.composite
def images(draw, shape):
    """An image of any type, layout and range that can be represented there."""
    values = draw(arrays(shape, extreme=draw(st.integers(0, 5)) == 0))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        top = draw(st.sampled_from([1, 255, 4095, 65535, min(limits.max, 2**53)]))
        values = np.nan_to_num(values, nan=0, posinf=1e9, neginf=-1e9)
        low, high = values.min(), values.max()
        with np.errstate(all="ignore"):
            values = (values - low) / (high - low) * min(top, limits.max) * (1 - 1e-9)
        values = np.nan_to_num(values, nan=0, posinf=0, neginf=0)
    with np.errstate(all="ignore"):
        image = values.astype(dtype)
    layout = draw(st.sampled_from(["C", "F", "strided", "read-only", "list"]))
    if layout == "F":
        return np.asfortranarray(image)
    if layout == "strided":
        return np.repeat(image, 2, axis=-1)[..., ::2]
    if layout == "read-only":
        image.flags.writeable = False
    return image.tolist() if layout == "list" and dtype.str not in (">f4", ">u2") else image


@st.composite
def label_images(draw, shape):
    """A label image with some labels, perhaps too few, and perhaps pixels outside."""
    rng = draw(GENERATORS)
    kinds = [[0, 1, 2], [0, 0, 0, 1, 2], [0, 0, 0, 1, 2, 3], [1, 2], [0, 0, 1, 5, 70000], [-1, 0, 0, 1, 2]]
    seeds = rng.choice(draw(st.sampled_from(kinds)), shape)
    return seeds.astype(draw(st.sampled_from(["i8", "i4", "f8", "f4", ">i4"])))


@st.composite
def polylines(draw, ndim):
    """Points that are mostly on the image, of any number and form."""
    rng = draw(GENERATORS)
    scale = draw(st.sampled_from([5.0, 5.0, 5.0, 50.0, 1e9]))
    points = rng.uniform(-0.4, scale, (draw(st.integers(1, 4)), ndim))
    return draw(st.sampled_from([points, points.tolist(), np.rint(points).astype(int), [tuple(p) for p in points]]))


@st.composite
def scribbles(draw, shape):
    """Scribbles in any form: a label image, a pair of masks, or polylines by label."""
    form = draw(st.sampled_from(["labels", "labels", "pair", "strokes"]))
    if form == "labels":
        return draw(label_images(shape))
    if form == "pair":
        rng = draw(GENERATORS)
        return tuple(rng.random(shape) < 0.2 for _ in range(2))
    keys = draw(st.sampled_from([("object", "background"), (1, 2), (1, 2, 9)]))
    return {key: draw(polylines(len(shape))) for key in keys}


JUNK = st.sampled_from(
    [
        None, "text", b"bytes", 3, -1, 2.5, np.nan, np.inf, 1e300, 1e-300, [], {}, (), object(), True, 1j,
        np.zeros(0), np.zeros((0, 3)), np.zeros((2, 2), complex), np.array("text"), np.array([None, 1]),
        np.full((3, 3), np.nan), np.datetime64("2020-01-01"), range(3), [[1, 2], [3]],
        np.ma.masked_equal(np.eye(3), 0), np.ones((2, 2, 2, 2, 2)), np.float32(7),
        np.zeros((3, 4), "S2"), slice(None), lambda: None, int,
    ]
)  # fmt: skip
"""Things that nobody should pass, and that somebody will."""


STROKES = st.sampled_from(
    [
        {"object": [], "background": [(1, 1)]}, {1: [(0, 0)], 2: [[(1, 1)], (2, 2)]}, {1: [(0, 0)], 2: [(1, "a")]},
        {1: 3, 2: None},         {1: [(0, 0)], 2: [(1, 1, 1)]}, {1: [(0, 0)], 2: np.zeros((0, 2))},
        {1: [(0, 0)], 2: [[(1, 1)], [(1, np.nan)]]},
        {"thing": [(1, 1)]}, {-1: [(1, 1)], 2: [(0, 0)]}, {1.5: [(1, 1)]}, {None: [(0, 0)]}, {(1, 2): [(0, 0)]},
        {1: [(0, 0)], 2: [(1e300, 1e300)]}, {1: [(0, 0)], 2: [(-1e18, 0), (1e18, 3)]}, {True: [(0, 0)], 2: [(1, 1)]},
        [[[1], [1, 2]], [[0]]], ([[True, False]], [[True]]), [np.ones((2, 2), bool), "mask"], (None, None),
        [np.eye(3)] * 3,         (np.eye(3, dtype=np.uint8) * 255, np.eye(3, dtype=np.uint8)[::-1]),
        "strokes.png", np.full((4, 5), 2**62),
        np.full((4, 5), -7), np.full((4, 5), 0.5), np.zeros((4, 5, 1)), np.zeros((5, 4)),
        np.arange(20).reshape(4, 5) + 1,
    ]
)  # fmt: skip
"""Scribbles that somebody will draw wrongly."""


def keywords(**choices):
    """A few keywords, each with one of its values, and rarely with something that nobody should pass."""
    return st.fixed_dictionaries({}, optional={name: st.one_of(*[s] * 9, JUNK) for name, s in choices.items()})


SHAPES = ("convex", "polygon", "hull", "star", "symmetric", "connected", "ellipse", "rectangle", "convex:2", "convex:3")
"""Shapes of images, by name."""


SEGMENT = keywords(
    alpha=st.sampled_from([0, 0.1, 1.0, 30.0, 1e12]),
    shape=st.sampled_from([None, "hull", {2: "hull"}]),
    unify=st.sampled_from(["sequential", None]),
    likelihood=st.sampled_from(["nieuwenhuis_cremers", "histogram", "gaussian_mixture"]),
    edge_weight=st.sampled_from(["contrast", None]),
    tv=TVS,
    relaxation=st.sampled_from(["zach", "ccp"]),
    components=st.sampled_from(["all", "scribbled"]),
    spacing=st.sampled_from([None, 1, 1e-30, 0.5]),
    nan_policy=st.sampled_from(["raise", "mask"]),
    strict=st.booleans(),
    backend=st.sampled_from(["numba", "numba", "numpy"]),
    tol=st.sampled_from([0, 1e-3, 1.0]),
    time_limit=st.sampled_from([None, 0, 1e-9, 1e6]),
    random_state=st.integers(0, 3),
    features=st.sampled_from([None, None, lambda image: image, lambda image: image[..., :1] * 0, np.ones((4, 5, 2))]),
)
"""Keywords of `segment` that take milliseconds."""

TRAINED = st.fixed_dictionaries(
    {"max_iter": st.sampled_from([20, 60])},
    optional={
        "alpha": st.sampled_from([0, 0.1, 1.0, 30.0]),
        "shape": st.sampled_from(["convex", "convex", "polygon", {2: "convex"}, "hull"]),
        "unify": st.sampled_from(["joint", "joint", "sequential"]),
        "predictor": st.sampled_from(["energy", "energy", "energy", "fcn", "cnn"]),
        "certainty": st.booleans(),
        "backend": st.sampled_from(["numba", "numba", "numpy"]),
        "spacing": st.sampled_from([None, 0.5, (1, 3)]),
        "random_state": st.integers(0, 3),
    },
)
"""Keywords of `segment` that train something: tens of milliseconds to seconds."""
