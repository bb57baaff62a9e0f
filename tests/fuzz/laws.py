"""Laws that hold whatever is passed, each as a function that Hypothesis calls with cases.

Either a named error, or an answer that is finite, certified and leaves what was passed as it was. `LAWS` lists them.
"""

import contextlib
import copy
import itertools
import math
import warnings
from fractions import Fraction

import numpy as np
import strategies as cases
from hypothesis import assume, example, given, strategies as st

import varconvex
from benchmarks._judges import keeps
from varconvex import Session, certify_convexity, contrast_weight, project, segment
from varconvex.energies import ROF, TVL1, MumfordShah, Potts, TwoPhase
from varconvex.errors import VarconvexError, VarconvexWarning
from varconvex.geometry import fill_hull
from varconvex.regions import segment_chan_vese, segment_geodesic_contours, segment_potts
from varconvex.restoration import denoise_mumford_shah, denoise_rof, denoise_tv_l1
from varconvex.settings import part
from varconvex.shapes import SizedShape
from varconvex.solvers import pdhg, stationary

LAWS = {}


def law(function):
    """Add a function to `LAWS`."""
    LAWS[function.__name__] = function
    return function


def answer(call, *args, **keywords):
    """What the call returns, or None after an error of ours; any other error or warning is a fault."""
    with warnings.catch_warnings(), contextlib.suppress(VarconvexError):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", VarconvexWarning)
        return call(*args, **keywords)
    return None


def unchanged(before, after):
    """Whether two nested things hold the same arrays, bit by bit."""
    if isinstance(before, dict):
        return all(unchanged(before[key], after[key]) for key in before)
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(unchanged, before, after))
    if isinstance(before, np.ndarray):
        return before.dtype == after.dtype and before.tobytes() == after.tobytes()
    return True


def copied(thing):
    """A deep copy of arrays in lists, tuples and dicts; anything else itself."""
    if isinstance(thing, dict):
        return {key: copied(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return type(thing)(map(copied, thing))
    return copy.deepcopy(thing) if isinstance(thing, np.ndarray) else thing


# Segmentation


@law
@given(st.data(), cases.shapes(), cases.SEGMENT)
def segment_holds_scribbles_or_names_an_error(data, shape, keywords):
    """Seeds are held, labels are known ids, gap >= 0, answers finite and the same again, inputs unchanged."""
    channels = data.draw(st.sampled_from([(), (), (3,), (4,), (1,), (7,)]))
    image, strokes = data.draw(cases.images(shape + channels)), data.draw(cases.scribbles(shape))
    rgba = {"rgba": data.draw(st.booleans())} if channels == (4,) else {}
    before = copied((image, strokes, keywords))
    found = answer(segment, image, strokes, max_iter=60, **rgba, **keywords)
    assert unchanged(before, (image, strokes, keywords))
    if found is None:
        return
    assert found.labels.shape == shape
    assert np.isfinite(found.probability).all()
    assert -np.inf < found.dual <= found.primal < np.inf
    assert found.dual <= found.energy + 1e-6 * (abs(found.energy) + abs(found.dual) + 1)
    if isinstance(strokes, np.ndarray):
        there = strokes > 0
        np.testing.assert_array_equal(found.labels[there], strokes[there])
        assert set(np.unique(found.labels)) <= {*np.unique(strokes[there]).astype(int), 1, -1}
        assert ((found.labels == -1) == (strokes == -1)).all()
    for certificate in found.certificates.values():  # of labels with a shape: all their hulls, perhaps in pieces
        assert certificate.n_missing == 0
    if keywords.get("time_limit") in (None, 1e6):
        again = answer(segment, image, strokes, max_iter=60, **rgba, **keywords)
        assert again.labels.tobytes() == found.labels.tobytes()
        assert again.probability.tobytes() == found.probability.tobytes()


@law
@given(st.data(), cases.shapes(ndim=2, least=2), cases.TRAINED)
def sets_and_networks_hold_scribbles_or_name_an_error(data, shape, keywords):
    """Joint unification, certified shapes, networks, certainties: seeds are held, answers finite and the same again."""
    image = data.draw(cases.images(shape + data.draw(st.sampled_from([(), (), (3,)]))))
    strokes = data.draw(cases.label_images(shape))
    before = copied((image, strokes, keywords))
    found = answer(segment, image, strokes, **keywords)
    assert unchanged(before, (image, strokes, keywords))
    if found is None:
        return
    there = strokes > 0
    np.testing.assert_array_equal(found.labels[there], strokes[there])
    assert np.isfinite(found.probability).all()
    for label, certificate in found.certificates.items():
        assert certificate.n_missing == 0
        assert not certificate.convex or is_convex(found.labels == label)
    if keywords.get("certainty"):
        assert np.isfinite(found.certainty[found.labels >= 0]).all()
        assert (found.certainty >= 0).all()
    again = answer(segment, image, strokes, **keywords)
    assert again.labels.tobytes() == found.labels.tobytes()
    assert again.probability.tobytes() == found.probability.tobytes()


@law
@given(
    st.sampled_from(["image", "scribbles", "mask", "channel_axis", "rgba", "spacing", "callback", "max_iter", "alpha"]),
    cases.JUNK,
    st.tuples(cases.images((4, 5)), cases.label_images((4, 5))),
)
def segment_names_what_nobody_should_pass(name, junk, others):
    """Anything in place of one argument is an error of ours, or has a meaning, whatever the others are."""
    arguments = dict(zip(("image", "scribbles"), others, strict=True))
    assume(not (name == "callback" and callable(junk)))  # what it raises comes through
    answer(segment, **{"max_iter": 20, **arguments, name: junk})


@law
@given(cases.STROKES, cases.keywords(strict=st.booleans(), channel_axis=st.sampled_from([None, 0, -1])))
def segment_names_what_is_drawn_wrongly(strokes, keywords):
    """Wrong scribbles are an error of ours, or what is right of them is used with a warning; never changed."""
    before = copied(strokes)
    answer(segment, np.arange(20.0).reshape(4, 5), strokes, max_iter=20, **keywords)
    assert unchanged(before, strokes)


@law
@given(st.data(), cases.shapes(ndim=2), st.sampled_from(["probability", "logits"]))
def maps_are_taken_or_refused(data, shape, kind):
    """Maps from elsewhere, of any type and size, alone and as a predictor; scribbles are held."""
    given_ = data.draw(cases.images(shape))
    before = copied(given_)
    found = answer(project, given_, "hull")
    assert found is None or np.isfinite(found.energy)
    seeds = np.zeros(shape, int)
    seeds.flat[0], seeds.flat[-1] = 1, 2
    predictor = answer(varconvex.GivenPredictor, given_, kind=kind)
    found = answer(segment, np.zeros(shape), seeds, predictor=predictor, max_iter=20) if predictor else None
    assert unchanged(before, given_)
    if found is not None:
        assert np.isfinite(found.probability).all()
        np.testing.assert_array_equal(found.labels[seeds > 0], seeds[seeds > 0])


# Energies


def energies_of(cost, alpha, weight, lower, upper):
    """Energy of every mask between the bounds, exactly: a sum over pairs of neighbours of a weight."""
    height, width = cost.shape
    at = list(itertools.product(range(height), range(width)))
    costs = {x: Fraction(float(cost[x])) for x in at}
    prices = {x: Fraction(float(alpha)) * Fraction(float(weight[x])) for x in at}
    pairs = [((i, j), (i + a, j + b)) for i, j in at for a, b in ((1, 0), (0, 1)) if i + a < height and j + b < width]
    for choice in itertools.product((0, 1), repeat=len(at)):
        mask = dict(zip(at, choice, strict=True))
        if all(lower[x] <= mask[x] <= upper[x] for x in at):
            yield sum(costs[x] for x in at if mask[x]) + sum(prices[a] for a, b in pairs if mask[a] != mask[b])


@law
@given(st.data(), st.tuples(st.integers(1, 2), st.integers(1, 3)), st.sampled_from([0.0, 0.1, 1.0, 7.7, 1e9, 1.9e19]))
@example(None, (1, 3), 1.9e19)
def the_bound_is_below_the_enumerated_minimum(data, shape, alpha):
    """Two regions with a sum of absolute differences: the minimum is a mask, found by enumeration in fractions."""
    cost = np.array([[-1.0, 1.0, -1.0]]) if data is None else data.draw(cases.arrays(shape))
    rng = np.random.default_rng(3) if data is None else data.draw(cases.GENERATORS)
    weight = rng.choice([0.0, 0.3, 1.0, 1.0, 3e5], cost.shape)
    lower = (rng.random(cost.shape) < 0.2).astype(float)
    upper = np.maximum(lower, rng.random(cost.shape) < 0.8).astype(float)
    least = min(energies_of(cost, alpha, weight, lower, upper))
    energy = answer(TwoPhase, cost, alpha, weight=weight, lower=lower, upper=upper, tv="anisotropic")
    assume(energy is not None)
    found = answer(pdhg, energy, max_iter=100)
    # Sums are in float64, whose own rounding is not part of the bound.
    sizes = float(np.abs(cost).sum()) + float(np.abs(found.p).sum(dtype=np.float64))
    noise = Fraction(1e-14) * (Fraction(sizes) + abs(least))
    assert Fraction(found.dual) <= least + noise
    # The energy of u counts boundaries in float32.
    assert Fraction(found.primal) >= least - noise - Fraction(1e-6) * Fraction(alpha * float(weight.sum()))
    assert np.isfinite(found.u).all()
    assert (found.u >= lower - 1e-6).all()
    assert (found.u <= upper + 1e-6).all()


@law
@given(st.data(), cases.shapes(), st.sampled_from(["TwoPhase", "Potts", "ROF", "TVL1", "MumfordShah"]))
def energies_are_finite_or_refused(data, shape, kind):
    """Fields and parameters of any size: finite values on both sides, or an error of ours."""
    numbers = st.sampled_from([0.0, 0.1, 1.0, *cases.EXTREMES])
    options = data.draw(st.fixed_dictionaries({}, optional={"spacing": cases.SPACINGS, "tv": cases.TVS}))
    if data.draw(st.booleans()):
        options["weight"] = np.abs(data.draw(cases.arrays(shape, extreme=True)))
    extra = {
        "TwoPhase": ("quadratic_weight", "lower", "upper"),
        "Potts": ("lower",),
        "ROF": ("huber", "lower", "upper"),
        "TVL1": ("lower", "upper"),
        "MumfordShah": ("jump", "lower", "upper"),
    }[kind]
    options |= data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(extra, numbers)))
    if options.get("quadratic_weight"):
        options["target"] = data.draw(cases.arrays(shape, extreme=True))
    field = data.draw(cases.arrays((2, *shape) if kind == "Potts" else shape, extreme=True))
    field = field.astype(data.draw(st.sampled_from(["f8", "f8", "f4"]))) if np.abs(field).max() < 1e38 else field
    energy = answer(getattr(varconvex, kind), field, data.draw(numbers), **options)
    if energy is None:
        return
    found = answer(stationary if kind == "MumfordShah" else pdhg, energy, max_iter=40)
    if found is None:
        return
    assert np.isfinite(found.u).all()
    assert np.isfinite(found.energy)
    if kind != "MumfordShah":
        assert -np.inf < found.dual <= found.primal < np.inf


@law
@given(st.data(), cases.shapes(ndim=2), st.sampled_from(["flip", "turn", "scale", "offset", "backend"]))
def the_same_problem_in_another_form_has_the_same_minimum(data, shape, change):
    """Flips, transposes, units and backends: the bound of each form is below the energy of the other."""
    rng, alpha, k = data.draw(cases.GENERATORS), data.draw(st.sampled_from([0.0, 0.1, 1.0])), 3
    cost, weight = rng.normal(size=(k, *shape)), rng.random(shape)
    scale, shift, backend, other, price = 1.0, 0.0, "numba", cost, weight
    if change == "flip":
        other, price = cost[:, ::-1, ::-1], weight[::-1, ::-1]
        weight = price = np.full(shape, 0.7)
    elif change == "turn":
        other, price = cost.transpose(0, 2, 1), weight.T
    elif change == "scale":
        scale = 2.0 ** data.draw(st.integers(-60, 60))
        other = cost * scale
    elif change == "offset":
        offset = rng.normal(size=shape) * 100
        other, shift = cost + offset, offset.sum()
    else:
        backend = "numpy"
    tv = "anisotropic" if change in ("flip", "turn") else "isotropic"
    one = answer(pdhg, Potts(cost, alpha, weight=weight, tv=tv), max_iter=60)
    two = answer(pdhg, Potts(other, alpha * scale, weight=price, tv=tv), max_iter=60, backend=backend)
    low, high = (two.dual - shift) / scale, (two.primal - shift) / scale
    noise = 1e-9 * (1 + abs(shift))
    assert low <= one.primal + noise
    assert one.dual <= high + noise


@law
@given(st.data(), st.integers(100, 300), st.integers(2, 4))
def threads_and_chunks_change_no_bit(data, height, threads):
    """The same u and p, bit by bit, by one thread or several."""
    from varconvex.backends import numba_, numba_layout

    rng = data.draw(cases.GENERATORS)
    cost = rng.normal(size=(height, data.draw(st.integers(1, 20)))).astype(np.float32)
    energy = TwoPhase(
        cost, data.draw(st.sampled_from([0.1, 2.0])), tv=data.draw(st.sampled_from(["isotropic", "octagonal"]))
    )
    answers, before = [], [(room.n_threads, room.SHARE) for room in (numba_, numba_layout)]
    try:
        for count in (1, threads):
            for room in (numba_, numba_layout):
                room.n_threads, room.SHARE = (lambda count=count: count), 1
            answers.append(answer(pdhg, energy, tol=0, max_iter=30))
    finally:
        for room, (known, share) in zip((numba_, numba_layout), before, strict=True):
            room.n_threads, room.SHARE = known, share
    one, two = answers
    assert one.u.tobytes() == two.u.tobytes()
    assert one.p.tobytes() == two.p.tobytes()
    assert (one.primal, one.dual) == (two.primal, two.dual)


# Classic models

MODELS = (denoise_rof, denoise_tv_l1, denoise_mumford_shah, segment_chan_vese)


@law
@given(st.data(), cases.shapes(), st.sampled_from(MODELS))
def classic_models_are_finite_or_refused(data, shape, model):
    """Images of any type and parameters of any size; inputs are unchanged."""
    channels = data.draw(st.sampled_from([(), (), (3,), (2,)]))
    image = data.draw(cases.images(shape + channels))
    before = copied(image)
    numbers = st.sampled_from([0.1, 1.0, *cases.EXTREMES])
    options = data.draw(cases.keywords(alpha=numbers, spacing=cases.SPACINGS))
    options["channel_axis"] = -1 if channels else None
    found = answer(model, image, max_iter=30, **options)
    assert unchanged(before, image)
    assert found is None or (
        np.isfinite(found).all() and np.shape(found) == shape + channels * (model is not segment_chan_vese)
    )


@law
@given(st.data(), cases.shapes(), cases.JUNK)
def other_functions_name_what_nobody_should_pass(data, shape, junk):
    """One argument of one function is anything."""
    field = data.draw(cases.arrays(shape))
    seed = np.zeros(shape, bool)
    seed.flat[0] = True
    calls = [
        (contrast_weight, {"image": field, "spacing": [1] * len(shape)}, ("beta", "scale", "floor", "valid", "rgba")),
        (segment_potts, {"cost": np.stack([field, -field]), "alpha": 1.0}, ("weight", "lower", "spacing", "tv", "tol")),
        (segment_geodesic_contours, {"image": field, "inside": seed}, ("outside", "alpha", "balloon", "cost")),
        (segment_chan_vese, {"image": field}, ("n_regions", "means", "weight", "max_rounds", "relaxation", "tv")),
        (denoise_rof, {"image": field, "max_iter": 20}, ("huber", "weight", "callback", "time_limit", "backend")),
        (project, {"target": field > 0, "shape": "hull"}, ("inside", "outside", "random_state", "backend", "spacing")),
        (certify_convexity, {"mask": field > 0}, ()),
        (TwoPhase, {"cost": field, "alpha": 1.0}, ("weight", "lower", "upper", "quadratic_weight", "target", "tv")),
        (Potts, {"cost": np.stack([field, -field]), "alpha": 1.0}, ("weight", "lower", "upper", "relaxation")),
        (ROF, {"image": field, "alpha": 1.0}, ("weight", "lower", "upper", "huber", "channel_axis")),
        (TVL1, {"image": field, "alpha": 1.0}, ("weight", "lower", "upper", "spacing")),
        (MumfordShah, {"image": field}, ("jump", "alpha", "weight")),
        (pdhg, {"energy": TwoPhase(np.sign(field), 0.5), "max_iter": 20}, ("tol", "time_limit", "start", "backend")),
    ]  # fmt: skip
    function, arguments, more = data.draw(st.sampled_from(calls))
    name = data.draw(st.sampled_from([*arguments, *more]))
    # As many iterations as somebody asks for; what a callback raises comes through.
    assume(not (name == "max_iter" and isinstance(junk, int | float)) and not (name == "callback" and callable(junk)))
    found = answer(function, **{**arguments, name: junk})
    if isinstance(found, np.ndarray):
        assert np.isfinite(found).all()


# Shapes


def is_convex(mask):
    """Whether a tiny mask holds every pixel of its hull and touches itself, by definition (2-D)."""
    points = [tuple(int(i) for i in p) for p in np.argwhere(mask)]
    if not points:
        return False
    inside = set(points)
    for x in np.ndindex(mask.shape):
        if x not in inside and _in_hull(x, points):
            return False
    reached, todo = {points[0]}, [points[0]]
    while todo:
        i, j = todo.pop()
        near = {(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & inside - reached
        reached |= near
        todo += near
    return reached == inside


def _in_hull(x, points):
    """Carathéodory: in a point, on a segment or in a triangle of the points."""

    def side(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    for a, b in itertools.combinations(points, 2):
        if side(a, b, x) == 0 and min(a, b) <= x <= max(a, b):
            return True
    for a, b, c in itertools.combinations(points, 3):
        turns = side(a, b, x), side(b, c, x), side(c, a, x)
        if side(a, b, c) and (min(turns) >= 0 or max(turns) <= 0):
            return True
    return False


@law
@given(st.data(), st.tuples(st.integers(1, 5), st.integers(1, 5)))
def certificates_equal_the_definition(data, shape):
    """`certify_convexity` and `fill_hull` on tiny masks, by Carathéodory's theorem."""
    mask = data.draw(cases.GENERATORS).random(shape) < data.draw(st.sampled_from([0.2, 0.5, 0.8]))
    assert certify_convexity(mask).convex == is_convex(mask)
    points = [tuple(int(i) for i in p) for p in np.argwhere(mask)]
    hull = np.array([x in points or _in_hull(x, points) for x in np.ndindex(shape)]).reshape(shape)
    np.testing.assert_array_equal(fill_hull(mask), hull)


@law
@given(st.data(), cases.shapes(), st.sampled_from(["hull", "polygon"]))
def projections_hold_what_they_must(data, shape, kind):
    """`inside` and `outside` are held or the conflict is named; certificates are true; inputs unchanged."""
    rng = data.draw(cases.GENERATORS)
    target = data.draw(
        st.sampled_from([rng.random(shape), rng.random(shape) < 0.4, (rng.random(shape) < 0.4) * np.uint8(255)])
    )
    share = data.draw(st.sampled_from([0.0, 0.05]))
    inside, outside = rng.random(shape) < share, rng.random(shape) < share
    before = copied((target, inside, outside))
    found = answer(project, target, kind, inside=inside, outside=outside)
    assert unchanged(before, (target, inside, outside))
    if found is None:
        return
    assert found.mask[inside].all()
    assert not found.mask[outside].any()
    if len(shape) == 2 and found.mask.any():
        assert found.certificate.convex == is_convex(found.mask)


@law
@given(st.data(), st.sampled_from([*cases.SHAPES, "frames", "sized"]), cases.GENERATORS)
def shapes_keep_what_they_promise(data, kind, rng):
    """Every shape: scribbles are held or the conflict is named, the promise is kept, the same seed gives the same."""
    shape = data.draw(cases.shapes(ndim=3 if kind == "frames" else 2, least=2))
    target = data.draw(st.sampled_from([rng.random(shape), (rng.random(shape) < 0.4) * 1.0, np.zeros(shape)]))
    share = data.draw(st.sampled_from([0.0, 0.05, 0.2]))
    inside, outside = rng.random(shape) < share, rng.random(shape) < share
    least, most = sorted(data.draw(st.tuples(*[st.integers(1, 40)] * 2)))
    wanted = SizedShape(least, most) if kind == "sized" else part("shapes", kind)
    before = copied((target, inside, outside))
    found = answer(wanted.fit, target, inside=inside, outside=outside, random_state=0)
    assert unchanged(before, (target, inside, outside))
    if found is None:
        return
    assert found.mask[inside].all()
    assert not found.mask[outside].any()
    if found.mask.any():
        convex = kind in ("convex", "polygon", "hull", "sized")
        assert is_convex(found.mask) if convex else keeps(_JUDGED.get(kind, kind), found)
        assert kind != "sized" or least <= found.mask.sum() <= most
    again = answer(project, target, wanted, inside=inside, outside=outside, random_state=0)
    assert again.mask.tobytes() == found.mask.tobytes()


_JUDGED = {"convex:2": "two", "convex:3": "three"}
"""Names of shapes among the judges, where they differ."""


@law
@given(st.data(), cases.shapes(ndim=2, least=2), cases.GENERATORS)
def a_session_goes_back_to_the_same_bits(data, shape, rng):
    """Strokes, erasing, clearing, undo and redo in any order: labels hold the strokes, former answers come again."""
    session = answer(Session, data.draw(cases.images(shape)), max_iter=60)
    assume(session is not None)
    states, place = [(bytes(8 * math.prod(shape)), None)], 0
    for _ in range(data.draw(st.integers(1, 7))):
        action = data.draw(st.sampled_from(["add", "add", "add", "erase", "clear", "undo", "redo"]))
        pixels = rng.random(shape) < data.draw(st.sampled_from([0.1, 0.4]))
        before = session.scribbles
        if action == "add":
            session.add(pixels, data.draw(st.integers(1, 3)))
            stepped = pixels.any()
        elif action == "erase":
            session.erase(pixels)
            stepped = (before[pixels] > 0).any()
        elif action == "clear":
            session.clear()
            stepped = (before > 0).any()
        else:
            place += getattr(session, action)() * (1 if action == "redo" else -1)
            stepped = False
        found = answer(lambda: session.result)
        if found is not None:
            there = session.scribbles > 0
            np.testing.assert_array_equal(found.labels[there], session.scribbles[there])
            assert np.isfinite(found.probability).all()
        bits = (session.scribbles.tobytes(), None if found is None else found.labels.tobytes())
        if stepped:
            place += 1
            states[place:] = [bits]
        assert states[place] == bits
