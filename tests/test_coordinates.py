"""Arrays of other libraries: xarray's coordinates as spacing, PyTorch's tensors, DLPack; pairs of masks of any type."""

import numpy as np
import pytest

from varconvex import project, segment
from varconvex.errors import InvalidImageError
from varconvex.inputs import blank_scene, prepare
from varconvex.scribbles import label_image

STROKES = {"object": [(10, 10), (10, 14)], "background": [(2, 2), (2, 20)]}


@pytest.fixture
def image(rng):
    inside = np.hypot(*np.mgrid[-10:10, -12:12]) < 6
    return inside * 0.8 + rng.normal(scale=0.05, size=inside.shape)


def array(values, dims, **coords):
    xarray = pytest.importorskip("xarray")
    return xarray.DataArray(values, dims=dims, coords=coords)


def test_coordinates_are_spacing(image):
    labelled = array(image, ("y", "x"), y=5 - 0.5 * np.arange(20), x=0.25 * np.arange(24))
    ours = segment(labelled, STROKES, shape="hull", max_iter=300)
    given = segment(image, STROKES, shape="hull", max_iter=300, spacing=(0.5, 0.25))
    assert ours.spacing == given.spacing == (0.5, 0.25)
    np.testing.assert_array_equal(ours.labels, given.labels)
    assert segment(labelled, STROKES, spacing=(1, 3)).spacing == (1, 3)
    assert segment(array(image, ("y", "x")), STROKES).spacing is None
    mask = array(image > 0.4, ("y", "x"), y=np.arange(20.0) * 3, x=np.arange(24.0))
    assert project(mask).spacing == pytest.approx(project(image > 0.4, spacing=(3, 1)).spacing)


@pytest.mark.parametrize("dims", [("channel", "y", "x"), ("y", "band", "x"), ("y", "x", "c")])
def test_channels_are_found_by_name(image, dims):
    colours = np.stack([image, 1 - image, image * 0.5])
    labelled = array(colours, ("c", "y", "x"), y=np.arange(20) * 2.0, x=np.arange(24.0))
    names = [name if name in ("y", "x") else "c" for name in dims]
    labelled = labelled.transpose(*names).rename(c=next(name for name in dims if name not in ("y", "x")))
    expected = prepare(np.moveaxis(colours, 0, -1), STROKES, spacing=(2, 1))
    for scene in (prepare(labelled, STROKES), blank_scene(labelled)):
        np.testing.assert_array_equal(scene.image, expected.image)
        assert scene.spacing == pytest.approx(expected.spacing)


def test_coordinates_that_are_no_spacing(image):
    uneven = array(image, ("y", "x"), y=np.arange(20.0) ** 2, x=np.arange(24.0))
    with pytest.raises(InvalidImageError, match=r"along 'y' must be evenly spaced; got distances from 1 to 37"):
        segment(uneven, STROKES)
    assert prepare(uneven, STROKES, spacing=1).spacing == (1, 1)
    names = array(image, ("y", "x"), y=[f"row {k}" for k in range(20)], x=np.arange(24.0))
    assert prepare(names, STROKES).spacing == (1, 1)


@pytest.mark.parametrize("step", [1e-4, -30e3])
def test_coordinates_are_even_up_to_a_share_of_their_step(image, step):
    places = step * (np.arange(20) + 1e-4 * np.sin(np.arange(20)))
    scene = prepare(array(image, ("y", "x"), y=places, x=np.arange(24.0) * step), STROKES)
    assert scene.pixel_size == pytest.approx((abs(step), abs(step)), rel=1e-3)
    places[9] += 0.01 * step
    with pytest.raises(InvalidImageError, match="along 'y' must be evenly spaced"):
        prepare(array(image, ("y", "x"), y=places, x=np.arange(24.0) * step), STROKES)


class Tensor:
    """As PyTorch's on a GPU with a gradient: NumPy reads it after `detach` and `cpu` only."""

    dtype = "torch.float32"

    def __init__(self, values, ready=0):
        self.values, self.ready = values, ready

    def detach(self):
        return Tensor(self.values, self.ready + 1)

    def cpu(self):
        return Tensor(self.values, self.ready + 1)

    def __array__(self, dtype=None, copy=None):
        if self.ready < 2:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        return self.values


class Capsule:
    """An array that speaks DLPack only."""

    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **keywords):
        return self.values.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


@pytest.mark.parametrize("kind", [Tensor, Capsule])
def test_tensors_are_arrays(image, kind):
    expected = prepare(image, STROKES)
    np.testing.assert_array_equal(prepare(kind(image), STROKES).image, expected.image)
    labels = np.where(expected.seeds > 0, expected.seeds, 0)
    np.testing.assert_array_equal(prepare(image, kind(labels)).seeds, labels)


def test_tensors_of_pytorch(image):
    torch = pytest.importorskip("torch")
    expected = prepare(image, STROKES)
    for tensor in (torch.tensor(image), torch.tensor(image, requires_grad=True)):
        np.testing.assert_array_equal(prepare(tensor, STROKES).image, expected.image)


@pytest.mark.parametrize("dtype", ["?", "u1", ">u2", "i8"])
@pytest.mark.parametrize("pair", [tuple, list])
def test_pairs_of_masks_of_any_type(image, dtype, pair):
    seeds = prepare(image, STROKES).seeds
    largest = 1 if dtype == "?" else 255
    masks = pair(((seeds == k) * largest).astype(dtype) for k in (2, 1))
    np.testing.assert_array_equal(prepare(image, masks).seeds, seeds)


def test_two_slices_are_no_pair():
    slices = [np.array([[0, 1], [1, 0]]), np.array([[0, 2], [0, 0]])]
    np.testing.assert_array_equal(label_image(slices, np.zeros((2, 2, 2)), None, False), np.stack(slices))
