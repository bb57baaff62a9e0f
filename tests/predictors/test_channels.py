"""What networks see: laws of the filter bank and of the scaling, and every refusal."""

import numpy as np
import pytest

from varconvex.errors import InvalidImageError, InvalidParameterError
from varconvex.inputs import prepare
from varconvex.predictors.appearance.channels import channels, filter_bank, groups_of


def scene_of(image, **options):
    strokes = np.zeros(image.shape[:2], int)
    strokes[0, 0], strokes[-1, -1] = 1, 2
    return prepare(image, strokes, **options)


@pytest.fixture
def scene(rng):
    return scene_of(rng.random((90, 120, 3)))


def test_every_group_has_mean_0_and_spread_1(scene):
    values, groups = channels(scene, "rgb+xy+features")
    assert values.dtype == np.float32
    assert values.shape[-1] == len(groups)
    for group in ("rgb", "xy", "features"):
        mine = values[..., np.array(groups) == group].astype(float)
        assert np.abs(mine.mean(axis=(0, 1))).max() < 1e-4
    assert values[..., np.array(groups) == "features"].std(axis=(0, 1)) == pytest.approx(1, rel=1e-3)
    colour = values[..., np.array(groups) == "rgb"]
    assert colour.var(axis=(0, 1)).mean() == pytest.approx(1, rel=1e-3)


def test_units_and_offsets_do_not_matter(rng):
    image = rng.random((20, 25))
    one, _ = channels(scene_of(image), "rgb+features")
    two, _ = channels(scene_of(1000 * image + 7), "rgb+features")
    np.testing.assert_allclose(one, two, atol=2e-3)


def test_places_are_as_long_in_every_axis(rng):
    values, _ = channels(scene_of(rng.random((20, 50))), "xy")
    rows, columns = np.diff(values[:, 0, 0]), np.diff(values[0, :, 1])
    np.testing.assert_allclose(rows, columns[0], rtol=1e-4)
    stretched, _ = channels(scene_of(rng.random((20, 50)), spacing=(2, 1)), "xy")
    assert np.diff(stretched[:, 0, 0])[0] == pytest.approx(2 * np.diff(stretched[0, :, 1])[0], rel=1e-4)


def test_responses_turn_with_the_image(rng):
    image = rng.random((32, 32, 3))
    np.testing.assert_allclose(
        filter_bank(scene_of(np.rot90(image).copy())), np.rot90(filter_bank(scene_of(image))), atol=1e-5
    )


def test_responses_see_an_edge_a_ridge_and_texture():
    _rows, columns = np.mgrid[:200, :200]
    edge = filter_bank(scene_of((columns > 100).astype(float)))
    grey = 1 + 4  # colour, then slope, two curvatures and spread, at the finest scale
    slope, spread = edge[..., 1], edge[..., 4]
    assert slope[99, 101] > 0.1 > 1e-6 > slope[99, 10]
    assert spread[99, 101] > 0.1 > 1e-6 > spread[99, 10]
    ridge = filter_bank(scene_of((columns == 100).astype(float)))
    assert ridge[99, 100, 3] < -0.05  # bent downwards across
    assert abs(ridge[99, 100, 2]) < 1e-3  # straight along
    assert edge.shape[-1] == 3 * grey


def test_pixels_that_are_not_valid_say_nothing(rng):
    image = rng.random((20, 20, 3))
    image[5, 5] = np.nan
    values, _groups = channels(scene_of(image, nan_policy="mask"), "rgb+features")
    assert np.isfinite(values).all()
    assert (values[5, 5] == 0).all()


def test_ones_own_features_take_the_banks_place(scene, rng):
    own = rng.normal(size=(90, 120, 2)) * 50
    values, groups = channels(scene, "rgb+features", own)
    assert groups.count("features") == 2
    np.testing.assert_allclose(values[..., -1], (own[..., 1] - own[..., 1].mean()) / own[..., 1].std(), atol=1e-4)


@pytest.mark.parametrize(
    ("inputs", "features", "error", "match"),
    [
        ("rgb+semantic", None, InvalidParameterError, "must name some of rgb, xy and features"),
        ("", None, InvalidParameterError, "must name some of"),
        (3, None, InvalidParameterError, "must name some of"),
        ("rgb", np.zeros((90, 120, 1)), InvalidParameterError, r"Use inputs='rgb\+features'"),
        ("rgb+features", np.zeros((120, 90, 1)), InvalidParameterError, r"must have shape \(90, 120\) \+ \(F,\)"),
        ("rgb+features", np.full((90, 120, 1), np.nan), InvalidImageError, "features must be finite"),
    ],
)
def test_refusals(scene, inputs, features, error, match):
    with pytest.raises(error, match=match):
        channels(scene, inputs, features)


def test_groups_are_put_in_order():
    assert groups_of("features+rgb") == ("rgb", "features")
