"""Arrays and functions as features, enlarging, principal components, tiles and the cache; no network is needed."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from varconvex import FileFormatError, InvalidImageError, InvalidParameterError, contrast_weight
from varconvex.extractors import Features, FunctionExtractor
from varconvex.extractors.cache import kept
from varconvex.extractors.tiles import maps_of, windows


@pytest.fixture
def image(rng):
    return gaussian_filter(rng.random((48, 70, 3)), (2, 2, 0)).astype(np.float32)


def blurred(image):
    """Features on the pixels, F = 2."""
    light = image.mean(axis=-1)
    return np.stack([gaussian_filter(light, 2), light], axis=-1)


class Windowed:
    """Means over cells of `stride` pixels, of the image smoothed over `reach` pixels: what a network does, exactly."""

    stride, size, components = 4, None, None

    def __init__(self, reach=6, size=None):
        self.reach, self.size, self.seen = reach, size, []

    def maps(self, image):
        self.seen.append(image.shape[:-1])
        smooth = gaussian_filter(image[..., 0], 2, mode="constant", radius=self.reach)
        h, w = smooth.shape
        return [smooth.reshape(h // 4, 4, w // 4, 4).mean(axis=(1, 3))[..., None]]

    def digest(self):
        return "windowed", self.reach


def test_an_array_is_what_a_function_gives(image):
    np.testing.assert_array_equal(Features(blurred(image)).of(image), Features(blurred).of(image))


def test_bilinear_is_between_the_centres_of_cells(image, rng):
    small = rng.random((12, 10, 3)).astype(np.float32)
    found = Features(lambda image: small).of(image)
    rows, columns = (np.arange(48) + 0.5) / 4 - 0.5, (np.arange(70) + 0.5) / 7 - 0.5
    where = np.meshgrid(rows, columns, indexing="ij")
    for channel in range(3):
        wanted = map_coordinates(small[..., channel], where, order=1, mode="nearest")
        np.testing.assert_allclose(found[..., channel], wanted, atol=1e-5)


def test_guided_features_have_the_images_edge():
    image = np.zeros((40, 40, 1), np.float32)
    image[:, 18:] = 1  # the cells' borders are at 16 and 20
    cells = np.repeat(np.repeat([[0.0] * 4 + [0.5] + [1.0] * 5], 10, axis=0)[..., None], 1, axis=-1)
    steps = []
    for how in ("bilinear", "guided"):
        step = np.diff(Features(lambda image: cells, upsampling=how).of(image)[20, :, 0])
        assert step.argmax() == 17 or how == "bilinear"
        steps.append(step.max())
    assert steps[1] > 0.5 > 4 * steps[0] - 0.1


def test_principal_components_are_those_of_the_vectors(image, rng):
    values = rng.normal(size=(48, 70, 6)) @ rng.normal(size=(6, 6))
    found = Features(values, components=2).of(image).reshape(-1, 2).astype(float)
    vectors = values.reshape(-1, 6)
    variances = np.linalg.eigvalsh(np.cov(vectors.T))[::-1]
    np.testing.assert_allclose(found.var(axis=0, ddof=1), variances[:2], rtol=1e-3)
    assert abs(np.corrcoef(found.T)[0, 1]) < 1e-3


def test_tiles_are_the_whole_and_no_window_is_too_large(rng):
    image = rng.random((203, 150, 1)).astype(np.float32)
    model = Windowed()
    (whole,), padded = maps_of(model, image, None, 8)
    (tiled,), same = maps_of(model, image, 64, 8)
    assert padded == same == (204, 152)
    assert max(max(shape) for shape in model.seen[1:]) == 64
    np.testing.assert_allclose(tiled, whole, atol=1e-6)
    (short,), _ = maps_of(model, image, 64, 0)  # a margin shorter than the reach is seen at the seams
    assert np.abs(short - whole).max() > 1e-3


def test_a_network_of_one_size_sees_windows_of_it(rng):
    image = rng.random((100, 30, 1)).astype(np.float32)
    model = Windowed(size=(48, 48))
    found, covered = maps_of(model, image, 1024, 8)
    assert covered == (100, 48)
    assert found[0].shape == (25, 12, 1)
    assert set(model.seen) == {(48, 48)}
    assert Features(model).of(image).shape == (100, 30, 1)


@pytest.mark.parametrize(("n", "side", "margin"), [(64, 64, 8), (100, 32, 8), (96, 32, 12), (33, 32, 15)])
def test_windows_cover_an_axis_once(n, side, margin):
    found = windows(n, side, margin, 1)
    counted = np.concatenate([np.arange(begin, end) for _, _, begin, end in found])
    np.testing.assert_array_equal(counted, np.arange(n))
    for first, last, begin, end in found:
        assert last - first == side
        assert begin - first >= margin or begin == 0
        assert last - end >= margin or end == n


def test_the_cache_knows_an_image_by_its_content(image, tmp_path):
    calls = []

    def counted(image):
        calls.append(1)
        return blurred(image)

    features = Features(counted)
    one = features.of(image)
    assert features.of(image.copy()).tobytes() == one.tobytes()
    assert len(calls) == 1
    other = image.copy()
    other[0, 0] += 1e-3
    features.of(other)
    Features(counted, components=1).of(image)
    assert len(calls) == 3
    Features(counted, folder=tmp_path).of(1 - image)
    assert not list(tmp_path.iterdir())  # nobody knows a function tomorrow


def test_a_folder_keeps_what_memory_forgets(tmp_path, rng, monkeypatch):
    image, model = rng.random((40, 40, 1)), Windowed(reach=5)
    monkeypatch.setattr("varconvex.extractors.cache._BYTES", 1)
    one = Features(model, folder=tmp_path).of(image)
    kept(("something", "else"), lambda: np.zeros(3), 1)
    two = Features(Windowed(reach=5), folder=tmp_path).of(image)
    assert (one.tobytes(), len(model.seen)) == (two.tobytes(), 1)
    (path,) = tmp_path.iterdir()
    kept(("something", "else"), lambda: np.zeros(3), 1)
    np.save(path, np.array([print], object), allow_pickle=True)  # a pickle is never loaded
    with pytest.raises(FileFormatError, match="an array of features was expected"):
        Features(Windowed(reach=5), folder=tmp_path).of(image)


def test_a_volume_has_features_by_function(rng):
    volume = rng.random((6, 8, 10, 1))
    found = Features(lambda image: image[::2, ::2, ::2]).of(volume)
    assert found.shape == volume.shape


def test_edges_are_where_features_change():
    image = np.full((30, 30, 1), 0.5)
    features = np.zeros((30, 30))
    features[:, 15:] = 7
    weight = contrast_weight(image, features=features)
    assert (weight.argmin(axis=1) == 14).all()
    np.testing.assert_array_equal(contrast_weight(image, features=np.zeros((30, 30))), 1)


@pytest.mark.parametrize(
    ("source", "error", "match"),
    [
        (np.zeros((70, 48, 2)), InvalidParameterError, r"must have shape \(48, 70\) \+ \(F,\)"),
        (np.full((48, 70, 1), np.nan), InvalidImageError, "features must be finite"),
        (lambda image: np.full((4, 4, 1), np.inf), InvalidImageError, "features must be finite"),
        (np.full((48, 70, 1), 1e300), InvalidImageError, "features must be finite"),
        (lambda image: np.zeros((70, 48, 2)), InvalidParameterError, "Are rows and columns exchanged"),
        (lambda image: np.zeros((96, 140, 2)), InvalidParameterError, "must cover the image"),
        (lambda image: np.zeros(3), InvalidParameterError, r"must return \(\*cells, F\)"),
        ("model.pt", InvalidParameterError, "weights_only=True"),
        ("features.npy", InvalidParameterError, "Read arrays by numpy.load"),
        ("tim:resnet18", InvalidParameterError, "extractor must be one of .*timm.*Did you mean 'timm'"),
        (Windowed, InvalidParameterError, "not a class"),
    ],
)
def test_refusals(image, source, error, match):
    with pytest.raises(error, match=match):
        Features(source).of(image)


@pytest.mark.parametrize("given", [{"upsampling": "cubic"}, {"components": 0}, {"tile": 0}, {"margin": -1}])
def test_refused_parameters(given):
    with pytest.raises(InvalidParameterError, match=f"{next(iter(given))} must be"):
        Features(blurred, **given)
    with pytest.raises(InvalidParameterError, match="function must be"):
        FunctionExtractor(3)
