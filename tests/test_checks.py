"""Single values at the bounds of what is allowed: the last that is taken and the first that is refused."""

import warnings

import numpy as np
import pytest

from varconvex import checks
from varconvex.errors import AxesWarning, InvalidImageError, InvalidParameterError


def refused(call, *args, **keywords):
    with pytest.raises((InvalidParameterError, InvalidImageError)):
        call(*args, **keywords)
    return True


def above(number):
    return np.nextafter(number, np.inf)


def below(number):
    return np.nextafter(number, -np.inf)


def test_real_numbers_up_to_their_bounds():
    for number in (0.0, checks.LARGEST):
        assert checks.real_number("x", number) == number
    assert checks.real_number("x", -3.0, least=-3.0, most=-3.0) == -3.0
    assert checks.real_number("x", above(2.0), least=2.0, strict=True) == above(2.0)
    assert refused(checks.real_number, "x", 2.0, least=2.0, strict=True)
    assert refused(checks.real_number, "x", below(2.0), least=2.0, strict=True)
    for bad in (below(0.0), above(checks.LARGEST), np.inf, -np.inf, np.nan, "1", b"1", 10**400, None, [1.0]):
        assert refused(checks.real_number, "x", bad)
    assert refused(checks.real_number, "x", np.inf, most=np.inf)


def test_widths_up_to_their_bounds():
    for number in (1e-12, 1.0, 1e12):
        assert checks.positive("x", number) == number
    for bad in (0.0, below(1e-12), above(1e12)):
        assert refused(checks.positive, "x", bad)
    assert checks.positive("x", 0.25, widest=4.0) == 0.25
    assert refused(checks.positive, "x", below(0.25), widest=4.0)


def test_whole_numbers_up_to_their_bounds():
    assert [checks.whole_number("x", n) for n in (0, 1.0, np.int8(7))] == [0, 1, 7]
    assert checks.whole_number("x", 3, least=3, most=3) == 3
    assert type(checks.whole_number("x", np.float32(4))) is int
    for bad in (-1, 0.5, 1e31, np.nan):
        assert refused(checks.whole_number, "x", bad, most=checks.LARGEST)
    assert refused(checks.whole_number, "x", 2, least=3)
    assert refused(checks.whole_number, "x", -2.5, least=-3)


def test_truth_values():
    assert [checks.boolean("x", value) for value in (True, np.False_, 1, 0)] == [True, False, True, False]
    for bad in (2, -1, 1.0, None, "True", np.ones(1)):
        assert refused(checks.boolean, "x", bad)


def test_axes_from_both_ends():
    assert [checks.axis(k, 3) for k in (-3, -1, 0, np.int64(2))] == [0, 2, 0, 2]
    for bad in (-4, 3, 1.0, None, "1"):
        assert refused(checks.axis, bad, 3)


def test_spacings_and_their_ratios():
    assert checks.spacing(None, 3) == (1.0, 1.0, 1.0)
    assert checks.spacing(2, 2) == (2.0, 2.0)
    assert checks.spacing(np.array([1.0, 1e6]), 2) == (1.0, 1e6)
    for bad in ((1.0, above(1e6)), (1.0, 0.0), (1.0, -1.0), (1.0,), (1.0, 1.0, 1.0), (1.0, np.inf), 0.0, "ab"):
        assert refused(checks.spacing, bad, 2)
    assert checks.unit_spacing(7.0, 3) == (1.0, 1.0, 1.0)
    one, two, three = checks.unit_spacing((1.0, 2.0, 4.0), 3)
    assert one * two * three == pytest.approx(1)
    assert (two / one, three / two) == pytest.approx((2, 2))


def test_seeds_of_random_numbers():
    first, again, other = (checks.generator(seed).random() for seed in (None, 0, 1))
    assert first == again != other
    mine = np.random.default_rng(5)
    assert checks.generator(mine) is mine
    assert refused(checks.generator, -1)


@pytest.mark.parametrize(
    ("shape", "warned"),
    [
        ((9, 9, 3), True),
        ((9, 9, 4), True),
        ((3, 9, 9), True),
        ((4, 9, 9), True),
        ((9, 9, 2), False),
        ((9, 9, 5), False),
        ((9, 8, 3), False),
        ((8, 9, 3), False),
        ((3, 9, 8), False),
        ((3, 8, 9), False),
        ((9, 3, 9), False),
        ((9, 3), False),
    ],
)
def test_what_looks_like_colours(shape, warned):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        checks.taken_as_volume("image", shape)
    assert [w.category for w in heard] == [AxesWarning] * warned


def test_fields_of_numbers():
    checks.finite("x", np.array([[checks.LARGEST, -checks.LARGEST]]), "")
    for bad in (np.nan, np.inf, -np.inf):
        field = np.zeros((3, 4))
        field[2, 1] = bad
        with pytest.raises(InvalidImageError, match=r"got 1 NaN or infinite value, the first at index \(2, 1\)"):
            checks.finite("x", field, "")
    assert checks.weight(np.zeros((2, 3)), (2, 3)).shape == (2, 3)
    for bad in (np.full((2, 3), -1e-300), np.zeros((3, 2)), np.full((2, 3), np.nan)):
        assert refused(checks.weight, bad, (2, 3))
    for good in (np.eye(2), np.eye(2, dtype=bool), np.eye(2, dtype=np.uint8)):
        np.testing.assert_array_equal(checks.region("x", good, (2, 2)), np.eye(2, dtype=bool))
    for bad in (2 * np.eye(2), -np.eye(2, dtype=int), np.eye(2) / 2, np.eye(3)):
        assert refused(checks.region, "x", bad, (2, 2))


def test_arrays_are_not_copied_without_need():
    mine = np.arange(6.0)
    assert np.shares_memory(checks.host(checks.as_numeric("x", mine)), mine)
    swapped = checks.host(mine.astype(">f8"))
    assert swapped.dtype.isnative
    np.testing.assert_array_equal(swapped, mine)


def test_warnings_are_heard_by_those_around():
    with warnings.catch_warnings(), checks.heard_warnings() as outer:
        warnings.simplefilter("ignore")
        checks.warn_caller("first", UserWarning)
        with checks.heard_warnings() as inner:
            checks.warn_caller("second", UserWarning)
        assert (inner, outer) == (["second"], ["first", "second"])
        checks.warn_caller("third", UserWarning)
    checked = [*outer]
    with pytest.warns(UserWarning, match="fourth"):
        checks.warn_caller("fourth", UserWarning)
    assert outer == checked == ["first", "second", "third"]
