"""Margins and bounds on sizes, against all masks of small grids."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from varconvex import GivenPredictor, InvalidParameterError, Potts, TwoPhase, segment
from varconvex.backends import get_backend
from varconvex.margins import find_margins, most_doubtful
from varconvex.solvers.solution import StoppingRules

SHAPE = (3, 4)
MASKS = np.array(list(product([0, 1], repeat=12)), np.float32).reshape(-1, *SHAPE)


def rules(max_iter=10_000):
    return StoppingRules.checked(max_iter, 1e-3, None, None)


def found(energy, max_iter=10_000):
    with_margins = find_margins(energy, np.zeros(energy.shape[1:], bool), get_backend("numpy"), rules(max_iter))
    return with_margins[1] if isinstance(energy, TwoPhase) else with_margins


def two_phase(rng, seeds=2, **kwargs):
    order = rng.permutation(12)
    lower, upper = np.zeros(12, np.float32), np.ones(12, np.float32)
    lower[order[:seeds]], upper[order[seeds : 2 * seeds]] = 1, 0
    return TwoPhase(
        rng.normal(size=SHAPE) * 2,
        rng.uniform(0.1, 1),
        weight=rng.uniform(0, 1, SHAPE),
        lower=lower.reshape(SHAPE),
        upper=upper.reshape(SHAPE),
        tv="anisotropic",
        **kwargs,
    )


def enumerated(energy):
    """The feasible masks of a small grid, their energies and sizes."""
    masks = MASKS[((energy.lower <= MASKS) & (energy.upper >= MASKS)).all(axis=(1, 2))]
    steps = energy.spacing or (1.0, 1.0)
    down = abs(np.diff(masks, axis=1)) * energy.weight[:-1] / steps[0]
    right = abs(np.diff(masks, axis=2)) * energy.weight[:, :-1] / steps[1]
    values = (masks * energy.cost).sum(axis=(1, 2)) + energy.alpha * (down.sum(axis=(1, 2)) + right.sum(axis=(1, 2)))
    return masks, values, masks.sum(axis=(1, 2))


def test_the_enumeration_is_that_of_the_energy(rng):
    energy = two_phase(rng, spacing=(1.0, 2.0))
    masks, values, _ = enumerated(energy)
    backend = get_backend("numpy")
    for k in rng.integers(len(masks), size=20):
        assert energy.value(backend, masks[k].astype(int)) == pytest.approx(values[k], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_each_level_of_the_margins_is_a_minimiser_at_its_price(seed):
    energy = two_phase(np.random.default_rng(seed), seeds=seed % 3)
    margins = found(energy)
    masks, values, sizes = enumerated(energy)
    for price in np.linspace(-0.95, 0.95, 20) * margins.reach:
        level = margins.map > price
        here = values[(masks == level).all(axis=(1, 2))] + price * level.sum()
        assert here == pytest.approx((values + price * sizes).min(), abs=0.05)


@pytest.mark.parametrize("max_iter", [0, 3, 10_000])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.filterwarnings("ignore::varconvex.ConvergenceWarning")
def test_sizes_of_all_masks_lie_within_the_interval(seed, max_iter):
    energy = two_phase(np.random.default_rng(seed), seeds=seed % 3)
    margins = found(energy, max_iter)
    _, values, sizes = enumerated(energy)
    for excess in (0.0, 0.1, 1.0, 5.0):
        budget = values.min() + excess
        least, most = margins.size_interval(budget)
        near = sizes[values <= budget]
        assert least <= near.min()
        assert near.max() <= most
    if max_iter > 3:
        # For these two prices the best bound is known: the least of E + l |m| over all masks.
        for price in (0.5 * margins.reach, 0.9 * margins.reach):
            least, most = margins.size_interval(budget)
            assert least >= ((values + price * sizes).min() - budget) / price - 0.1
            assert most <= (budget - (values - price * sizes).min()) / price + 0.1


def test_the_interval_tightens_to_the_minimiser():
    disc = np.hypot(*np.mgrid[-10:11, -10:11]) < 6
    energy = TwoPhase(np.where(disc, -2.0, 2.0), 0.5, tv="anisotropic")
    value = energy.value(get_backend("numpy"), disc.astype(int))
    least, most = found(energy).size_interval(value)
    assert least <= disc.sum() <= most
    assert most - least <= 6


def test_without_a_boundary_cost_margins_are_the_cost(rng):
    cost = rng.normal(size=(5, 6))
    np.testing.assert_allclose(found(TwoPhase(cost, 0.0)).map, -cost, rtol=1e-6)


def test_margins_scale_with_the_energy(rng):
    energy = two_phase(rng)
    twice = found(replace(energy, cost=4 * energy.cost, alpha=4 * energy.alpha))
    np.testing.assert_allclose(twice.map, 4 * found(energy).map, atol=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_several_labels_keep_the_bound(seed):
    rng = np.random.default_rng(seed)
    shape = (2, 4)
    lower = np.zeros((3, *shape), np.float32)
    lower[0, 0, 0] = lower[1, 1, 3] = lower[2, 0, 3] = 1
    energy = Potts(rng.normal(size=(3, *shape)), 0.4, lower=lower, tv="anisotropic")
    backend = get_backend("numpy")
    images = [np.array(labels).reshape(shape) for labels in product(range(3), repeat=8)]
    images = [image for image in images if image[0, 0] == 0 and image[1, 3] == 1 and image[0, 3] == 2]
    values = np.array([energy.value(backend, image) for image in images])
    for k, margins in found(energy).items():
        sizes = np.array([(image == k).sum() for image in images])
        for excess in (0.01, 1.0, 3.0):
            least, most = margins.size_interval(values.min() + excess)
            near = sizes[values <= values.min() + excess]
            assert least <= near.min()
            assert near.max() <= most


@pytest.fixture(scope="module")
def picture():
    """Two discs alike, of which one is scribbled on, in noise: image, scribbles."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:50, :80]
    discs = (np.hypot(rows - 25, columns - 22) < 13) | (np.hypot(rows - 25, columns - 60) < 11)
    image = np.where(discs, 0.7, 0.3) + rng.normal(0, 0.08, discs.shape)
    return image, {"object": [(22, 18), (28, 26)], "background": [[(3, 3), (3, 76)], [(46, 3), (46, 76)]]}


def test_certainty_of_a_result(picture):
    plain, result = segment(*picture), segment(*picture, certainty=True)
    assert plain.certainty is None
    assert not plain.margins
    assert np.array_equal(plain.labels, result.labels)
    assert plain.energy == result.energy
    certainty = result.certainty
    assert certainty.dtype == np.float32
    assert certainty.shape == result.labels.shape
    assert certainty.min() >= 0
    assert certainty.max() == np.float32(result.margins[2].reach)
    assert (certainty[result.seeds > 0] == certainty.max()).all()
    left_out = (result.unconstrained == 2) & (result.labels == 1)
    assert left_out.any()
    assert certainty[left_out].mean() < 0.1
    # The energy alone has both discs: the interval holds its size, too.
    least, most = result.area_interval(0)
    assert least <= result.mask.sum()
    assert (result.unconstrained == 2).sum() <= most
    row, column = result.next_stroke()
    assert left_out[row, column]
    numbers = json.loads(json.dumps(result.to_dict()))
    assert numbers["next_stroke"] == [row, column]
    assert numbers["area_intervals"] == {"2": list(result.area_interval())}


def test_bounds_hold_with_a_shape_and_outside(picture):
    image, scribbles = picture
    mask = np.ones(image.shape, bool)
    mask[:, 70:] = False
    result = segment(image, scribbles, shape="convex", mask=mask, certainty=True)
    least, most = result.area_interval(0)
    assert least <= result.mask.sum() <= most <= mask.sum()
    assert (result.certainty[~mask] == 0).all()


def test_labels_by_name_and_volumes(rng):
    volume = np.zeros((6, 12, 14))
    volume[2:5, 2:6, 2:6], volume[2:5, 7:11, 8:12] = 0.5, 1
    scribbles = np.zeros(volume.shape, int)
    scribbles[3, 3, 3:5], scribbles[3, 8, 9:11], scribbles[0, 0] = 4, 9, 1
    result = segment(volume + rng.normal(0, 0.02, volume.shape), scribbles, certainty=True)
    for label in (4, 9):
        least, most = result.area_interval(label=label)
        assert least <= (result.labels == label).sum() <= most
    with pytest.raises(InvalidParameterError, match="label must be an object"):
        result.area_interval()


def test_what_cannot_be_told_is_an_error(picture):
    image, scribbles = picture
    with pytest.raises(InvalidParameterError, match="certainty=True"):
        segment(image, scribbles).area_interval()
    with pytest.raises(InvalidParameterError, match="certainty=True"):
        segment(image, scribbles).next_stroke()
    with pytest.raises(InvalidParameterError, match="needs a predictor with an energy"):
        segment(image, scribbles, predictor=GivenPredictor(image > 0.5), certainty=True)
    with pytest.raises(InvalidParameterError, match="excess"):
        segment(image, scribbles, certainty=True).area_interval(-1)


def test_the_middle_of_the_largest_doubt():
    certainty = np.full((20, 30), 3.0)
    certainty[2:5, 2:5], certainty[8:15, 10:21] = 0, 0.5
    assert most_doubtful(certainty, np.ones(certainty.shape, bool)) in {(11, k) for k in range(13, 18)}
    assert most_doubtful(certainty, certainty > 1) is None
