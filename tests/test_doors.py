"""What enters at one public function is judged as at every other: axes, transparency, keywords, things no array."""

import importlib
import inspect

import numpy as np
import pytest

import varconvex
from varconvex import (
    Session,
    certify_convexity,
    contrast_weight,
    denoise_mumford_shah,
    denoise_rof,
    denoise_tv_l1,
    project,
    segment,
    segment_chan_vese,
    segment_geodesic_contours,
)
from varconvex.errors import (
    AxesWarning,
    InvalidImageError,
    InvalidScribblesError,
    ScribbleWarning,
    UnknownKeywordError,
    UnsupportedTypeError,
)
from varconvex.geometry import fill_hull, hull_half_spaces

IMAGES = {
    "denoise_rof": lambda image, **given: denoise_rof(image, max_iter=0, **given),
    "denoise_tv_l1": lambda image, **given: denoise_tv_l1(image, max_iter=0, **given),
    "denoise_mumford_shah": lambda image, **given: denoise_mumford_shah(image, max_iter=0, **given),
    "segment_chan_vese": lambda image, **given: segment_chan_vese(image, max_rounds=1, max_iter=0, **given),
    "segment_geodesic_contours": lambda image, **given: segment_geodesic_contours(
        image, seed(image, given), max_iter=0, **given
    ),
}
MASKS = {
    "project": lambda mask: project(mask, "hull"),
    "certify_convexity": certify_convexity,
    "fill_hull": fill_hull,
    "hull_half_spaces": hull_half_spaces,
}


def seed(image, given):
    """A seed in the middle of an image."""
    axis = given.get("channel_axis")
    shape = image.shape if axis is None else tuple(np.delete(image.shape, axis))
    mask = np.zeros(shape, bool)
    mask[tuple(n // 2 for n in shape)] = True
    return mask


@pytest.mark.parametrize("door", IMAGES)
@pytest.mark.parametrize(("shape", "axis", "end"), [((12, 15, 3), -1, "last"), ((3, 12, 15), 0, "first")])
def test_an_image_that_may_have_colours_is_not_taken_as_a_volume_in_silence(rng, door, shape, axis, end):
    image = rng.random(shape)
    sentence = rf"image of shape .* is taken as a volume; pass channel_axis={axis} if its {end} axis holds colours"
    with pytest.warns(AxesWarning, match=sentence):
        assert np.shape(IMAGES[door](image)) == shape
    IMAGES[door](image, channel_axis=axis)


@pytest.mark.parametrize("door", MASKS)
def test_a_mask_with_colours_is_not_taken_as_a_volume_in_silence(door):
    sentence = r"of shape .* is taken as a volume; pass one of them, \w+\[\.\.\., 0\], if its last axis holds colours"
    with pytest.warns(AxesWarning, match=sentence):
        MASKS[door](np.ones((12, 15, 3), bool))
    MASKS[door](np.ones((3, 12, 15), bool))  # a stack of three slices


def test_scribbles_with_colours_are_not_taken_as_a_volume_in_silence(rng):
    scribbles = np.zeros((12, 15, 3), int)
    scribbles[2], scribbles[9] = 1, 2
    sentence = r"is taken as a volume; scribble on \(12, 15\) and pass channel_axis=-1 if its last axis holds colours"
    with pytest.warns(AxesWarning, match=sentence):
        segment(rng.random((12, 15, 3)), scribbles, max_iter=0)
    with pytest.warns(AxesWarning, match="image of shape"):
        contrast_weight(rng.random((12, 15, 3)), spacing=(1, 1, 1))


def test_strokes_in_a_plane_on_a_stack_are_remarked(rng):
    strokes = {"background": [(1, 1), (1, 9)], "object": [(8, 1), (8, 9)]}
    sentence = r"\(12, 11, 13\) is taken as an image of 13 channels, .* pass channel_axis=2 .* with 3 coordinates"
    with pytest.warns(AxesWarning, match=sentence):
        segment(rng.random((12, 11, 13)), strokes, max_iter=0)
    segment(rng.random((12, 11, 13)), strokes, max_iter=0, channel_axis=2)


def test_channels_first_are_named_in_the_error(rng):
    scribbles = np.zeros((12, 15), int)
    scribbles[2], scribbles[9] = 1, 2
    with pytest.raises(InvalidScribblesError, match=r"If axis 0 of the image holds channels, pass channel_axis=0"):
        segment(rng.random((3, 12, 15)), scribbles)
    with pytest.raises(InvalidScribblesError, match=r"If axis 2 of the image holds channels, pass channel_axis=2"):
        segment(rng.random((12, 15, 3)), scribbles, channel_axis=0)


@pytest.mark.parametrize("door", IMAGES)
def test_four_axes_without_channels_are_an_error_that_names_the_keyword(rng, door):
    with pytest.raises(InvalidImageError, match=r"2-D or 3-D.*Pass channel_axis=-1 if its last axis holds channels"):
        IMAGES[door](rng.random((9, 10, 11, 3)))


@pytest.mark.parametrize("door", [*IMAGES, "contrast_weight", "Session"])
def test_transparency_is_never_taken_as_a_colour(rng, door):
    image = rng.random((12, 15, 4))
    call = {"contrast_weight": contrast_weight, "Session": Session}.get(door)
    call = call or (lambda image, **given: IMAGES[door](image, channel_axis=-1, **given))
    with pytest.raises(InvalidImageError, match=r"the last may be transparency\. Pass rgba=True to leave it out"):
        call(image)
    call(image, rgba=False)
    if door != "Session":
        np.testing.assert_array_equal(call(image, rgba=True), call(image[..., :3]))


def test_a_scribble_on_every_pixel_and_parts_without_one_are_remarked(rng):
    image, mask = rng.random((12, 15)), np.ones((12, 15), bool)
    mask[:, 7] = False
    strokes = {"background": [(1, 1), (1, 4)], "object": [(8, 1), (8, 4)]}
    with pytest.warns(ScribbleWarning, match=r"1 of 2 have none, the first at \(0, 8\)"):
        segment(image, strokes, mask=mask)
    strokes["object"] = [strokes["object"], [(4, 12)]]
    segment(image, strokes, mask=mask)
    full = np.ones((12, 15), int)
    full[5:] = 2
    with pytest.warns(ScribbleWarning, match="they cover every one of them"):
        segment(image, full)


class Nifti1Image:
    """As nibabel's: voxels by a method, and no array."""

    def get_fdata(self):
        raise NotImplementedError


class Tensor:
    """As PyTorch's with a gradient: NumPy cannot read it."""

    def detach(self):
        raise NotImplementedError

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


NO_ARRAYS = [
    ("cell.png", r"the path 'cell\.png'.*io\.read_image"),
    (importlib.import_module("pathlib").Path("cell.png"), r"the path 'cell\.png'.*io\.read_image"),
    (Nifti1Image(), r"got Nifti1Image of test_doors.*get_fdata"),
    (Tensor(), r"got Tensor, .*requires grad.*detach\(\)\.cpu\(\)\.numpy"),
    (importlib.import_module("scipy.sparse").eye(4), r"got dia_\w+ of scipy.*toarray"),
    (None, "got NoneType"),
    (np.ma.masked_less(np.eye(4), 0.5), "got a masked array with 12 masked entries"),
    ({"image": 1}, "got dict"),
]


@pytest.mark.parametrize("thing", NO_ARRAYS, ids=lambda thing: type(thing[0]).__name__)
@pytest.mark.parametrize(
    "door", [*IMAGES, *MASKS, "segment", "contrast_weight", "Session", "ROF", "TwoPhase", "GivenPredictor", "scribbles"]
)
def test_what_is_no_array_is_named_for_what_it_is(thing, door):
    value, sentence = thing
    calls = {
        "segment": lambda value: segment(value, np.eye(4, dtype=int)),
        "contrast_weight": contrast_weight,
        "Session": Session,
        "ROF": lambda value: varconvex.ROF(value, 1.0),
        "TwoPhase": lambda value: varconvex.TwoPhase(value, 1.0),
        "GivenPredictor": varconvex.GivenPredictor,
        "scribbles": lambda value: segment(np.eye(4), value),
        "segment_geodesic_contours": lambda value: segment_geodesic_contours(value, np.eye(4) > 0),
    }
    if (door, type(value)) in {("scribbles", dict), ("GivenPredictor", type(None))}:
        pytest.skip("has a meaning there")
    with pytest.raises(UnsupportedTypeError, match=sentence):
        (calls.get(door) or IMAGES.get(door) or MASKS[door])(value)


def test_a_palette_is_no_image():
    picture = importlib.import_module("PIL.Image").new("P", (4, 5))
    with pytest.raises(UnsupportedTypeError, match=r"indices of colours\. Pass image\.convert\('RGB'\)"):
        denoise_rof(picture)


PACKAGES = (
    "",
    ".adapters",
    ".batch",
    ".datasets",
    ".energies",
    ".geometry",
    ".io",
    ".likelihoods",
    ".predictors",
    ".shapes",
    ".solvers",
)
RESULTS = {
    "Certificate", "ConvexDistance", "Entry", "FittedConnected", "FittedConvex", "FittedEllipse", "FittedFrames",
    "FittedKConvex", "FittedPeriodic", "FittedPolygon", "FittedRectangle", "FittedRotational", "FittedStar",
    "FittedSymmetric", "ImageFile", "ImageOnDisk", "LargeSegmentation", "OptimalityCertificate", "Outline",
    "Prediction", "Progress", "ProximalTerm", "Sample", "Segmentation", "ShapeCertificate", "Solution", "Stationary",
    "Summary",
}  # fmt: skip
"""What functions return: nobody but the package makes one."""


def doors():
    """Public functions, and classes that can be made, by name."""
    for package in PACKAGES:
        module = importlib.import_module(f"varconvex{package}")
        for name in module.__all__:
            thing = getattr(module, name)
            # What passes its keywords on is asked in its own tests.
            if inspect.isfunction(thing) and "**" not in str(inspect.signature(thing)):
                yield name, thing
            elif inspect.isclass(thing) and not issubclass(thing, BaseException) and name not in RESULTS:
                abstract = inspect.isabstract(thing) or getattr(thing, "_is_protocol", False)
                if not abstract and "base" not in thing.__module__:
                    yield name, thing


@pytest.mark.parametrize(("name", "door"), sorted(dict(doors()).items()))
def test_every_door_names_the_keyword_that_was_meant(name, door):
    known = [k for k, p in inspect.signature(door).parameters.items() if p.kind is not p.VAR_KEYWORD]
    wrong = f"{known[-1]}s" if known else "tolerance"
    with pytest.raises(UnknownKeywordError, match=rf"{name}\(\) got an unknown keyword '{wrong}'"):
        door(*[np.eye(4)] * (door is Session), **{wrong: 1})
