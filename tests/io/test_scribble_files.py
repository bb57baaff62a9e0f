"""Scribbles in files of other programs: the same strokes, however they were saved."""

import csv
import itertools
import json

import numpy as np
import pytest
from PIL import Image

from varconvex import segment
from varconvex.errors import (
    FileFormatError,
    InvalidParameterError,
    InvalidScribblesError,
    ScribbleWarning,
    VarconvexWarning,
)
from varconvex.io import colour, open_image, read_labels, read_mask, read_scribble_pair, read_scribbles, write_labels
from varconvex.plots import colours
from varconvex.scribbles import label_image

SIZE = (40, 50)
PENS = {"red": (255, 0, 0), "blue": (0, 0, 255), "lime": (0, 255, 0), "black": (0, 0, 0), "yellow": (255, 255, 0)}


@pytest.fixture
def photograph(rng):
    return rng.integers(60, 200, (*SIZE, 3), dtype=np.uint8)


@pytest.fixture
def labels():
    """Strokes: a cross in the object (2), a line around it (1)."""
    strokes = np.zeros(SIZE, np.int64)
    strokes[18:22, 10:40] = strokes[10:30, 23:26] = 2
    strokes[2:5, 3:47] = strokes[2:38, 3:6] = 1
    return strokes


def paint(ground, labels, object_pen, background_pen):
    painted = ground.copy()
    painted[labels == 2], painted[labels == 1] = object_pen, background_pen
    return painted


@pytest.mark.parametrize(("ours", "theirs"), list(itertools.permutations(PENS, 2)))
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_two_pens_on_a_copy(tmp_path, photograph, labels, ours, theirs, name):
    photograph = np.full_like(photograph, 128) if name == "a.jpg" else photograph
    Image.fromarray(paint(photograph, labels, PENS[ours], PENS[theirs])).save(tmp_path / name, quality=95)
    both = {"object_colour": PENS[ours], "background_colour": PENS[theirs]}
    first = read_scribbles(tmp_path / name, photograph, **both)
    if name == "a.jpg":
        assert (first == labels).mean() > 0.93
    else:
        np.testing.assert_array_equal(first, labels)
    # One that is named is enough: the other pen is the other part's.
    for part in both:
        np.testing.assert_array_equal(read_scribbles(tmp_path / name, photograph, **{part: both[part]}), first)
    if {ours, theirs} == {"red", "blue"}:
        with pytest.warns(ScribbleWarning, match=r"#[ef].0.0. .*#0.0... .*the red one is taken for the object"):
            guessed = read_scribbles(tmp_path / name, photograph)
        np.testing.assert_array_equal(guessed, first if ours == "red" else np.array([0, 2, 1])[first])
    elif name != "a.jpg":
        with pytest.raises(FileFormatError, match=r"of two pens were looked for.*Say which is which") as caught:
            read_scribbles(tmp_path / name, photograph)
        assert all("#" + bytes(PENS[pen]).hex() in str(caught.value) for pen in (ours, theirs))


@pytest.mark.parametrize("ground", ["copy", "layer", "white", "black"])
@pytest.mark.parametrize("indexed", [False, True])
def test_grounds_and_palettes(tmp_path, photograph, labels, ground, indexed):
    """Red and blue on a photograph, on transparency or on paper, in true colours or by a palette of few."""
    photograph[...] = photograph // 40 * 40  # so few colours that a palette holds them all
    photograph[..., 1:] = photograph[..., :1]
    below = {"copy": photograph, "white": np.full_like(photograph, 255)}.get(ground, np.zeros_like(photograph))
    picture = Image.fromarray(paint(below, labels, (0, 0, 255), (255, 0, 0)))
    if indexed:
        picture = picture.quantize(32)
        if ground == "layer":
            picture.info["transparency"] = picture.getpixel((49, 39))
    elif ground == "layer":
        picture.putalpha(Image.fromarray(np.where(labels > 0, 255, 0).astype(np.uint8)))
    picture.save(tmp_path / "a.png")
    seeds = read_scribbles(tmp_path / "a.png", photograph, object_colour=colour("blue"))
    np.testing.assert_array_equal(seeds, labels)


def test_a_plain_ground_beside_a_dark_photograph(tmp_path, photograph, labels):
    """What is on black paper differs from a photograph that is mostly black where this is bright: no strokes."""
    photograph[:, :35] = 0
    Image.fromarray(paint(np.zeros_like(photograph), labels, (0, 0, 255), (255, 0, 0))).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_scribbles(tmp_path / "a.png", photograph, object_colour=(0, 0, 255)), labels)


@pytest.mark.parametrize("kind", ["uint16", "float32", "grey", "12 bits", "range"])
def test_copies_of_photographs_that_are_no_pictures(tmp_path, rng, labels, kind):
    """What a program shows of 16 bits or floats is painted on in 8 bits."""
    shown = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    image = shown.astype(np.uint16) * 257
    if kind == "float32":
        image = (shown / 255).astype(np.float32)
    elif kind == "range":
        image = shown * 3.0 + 1000
    elif kind in ("grey", "12 bits"):
        shown = shown[..., :1].repeat(3, axis=-1)
        image = shown[..., 0].astype(np.uint16) * 16
        if kind == "grey":
            shown = np.clip(shown.astype(int) * 3 - 200, 0, 255).astype(np.uint8)  # some contrast of the viewer's
    Image.fromarray(paint(shown, labels, (255, 0, 0), (0, 0, 255))).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_scribbles(tmp_path / "a.png", image, object_colour=(255, 0, 0)), labels)


def test_names_of_colours_are_meant_as_people_mean_them(tmp_path, photograph, labels):
    Image.fromarray(paint(photograph, labels, (0, 255, 0), (40, 120, 255))).save(tmp_path / "a.png")
    seeds = read_scribbles(
        tmp_path / "a.png", photograph, object_colour=colour("green"), background_colour=colour("blue")
    )
    np.testing.assert_array_equal(seeds, labels)
    with pytest.raises(FileFormatError, match=r"looked for in #ff0000 \(red\); the pens found in .* are: .*\(lime\)"):
        read_scribbles(tmp_path / "a.png", photograph, object_colour=colour("red"))
    with pytest.raises(FileFormatError, match=r"both are nearest to the same one"):
        read_scribbles(tmp_path / "a.png", photograph, object_colour=(0, 255, 0), background_colour=(0, 250, 0))


def test_what_was_found_is_said(tmp_path, photograph, labels):
    painted = paint(photograph, labels, (255, 0, 0), (0, 0, 255))
    painted[30:34, 10:20] = (255, 255, 0)
    Image.fromarray(painted).save(tmp_path / "three.png")
    with pytest.raises(FileFormatError, match=r"\(yellow\) \(40 pixels\)"):
        read_scribbles(tmp_path / "three.png", photograph)
    with pytest.raises(FileFormatError, match=r"one more pen was looked for beside the object's"):
        read_scribbles(tmp_path / "three.png", photograph, object_colour=(255, 0, 0))
    both = read_scribbles(tmp_path / "three.png", photograph, object_colour=(255, 0, 0), background_colour=(0, 0, 255))
    np.testing.assert_array_equal(both, labels)
    Image.fromarray(photograph).save(tmp_path / "none.png")
    with pytest.raises(FileFormatError, match=r"are: none\. Is it the photograph itself"):
        read_scribbles(tmp_path / "none.png", photograph)
    Image.fromarray(photograph[::-1]).save(tmp_path / "other.png")
    with pytest.raises(FileFormatError, match=r"of the pixels differ.*Is it another photograph's"):
        read_scribbles(tmp_path / "other.png", photograph)
    Image.fromarray(painted[1:]).save(tmp_path / "small.png")
    with pytest.raises(FileFormatError, match=r"must be painted on a copy of the photograph, \(40, 50\) pixels"):
        read_scribbles(tmp_path / "small.png", photograph)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<i4", ">f4", "f8"])
@pytest.mark.parametrize("name", ["a.npy", "a.tif"])
def test_label_images_of_every_type(tmp_path, photograph, labels, dtype, name):
    tifffile = pytest.importorskip("tifffile")
    values = labels.astype(dtype)
    if name == "a.npy":
        np.save(tmp_path / name, values)
    else:
        tifffile.imwrite(tmp_path / name, values, byteorder=">" if dtype[0] == ">" else "<")
    np.testing.assert_array_equal(read_scribbles(tmp_path / name, photograph), labels)
    np.testing.assert_array_equal(read_labels(tmp_path / name), labels)
    swapped = read_scribbles(tmp_path / name, photograph, object_label=1, background_label=2)
    np.testing.assert_array_equal(swapped, np.array([0, 2, 1])[labels])


def test_pictures_of_labels(tmp_path, photograph, labels):
    """As grey levels, as RGB of three equal numbers, and by indices whose colours say the same or nothing."""
    grey = labels.astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey[..., None].repeat(3, axis=-1)).save(tmp_path / "rgb.png")
    for name, palette in [
        ("indices.png", [0, 0, 0, 200, 160, 20, 10, 160, 160]),
        ("ours.png", [0, 0, 0, 40, 120, 255, 255, 64, 64]),
        ("all black.png", [0] * 9),
    ]:
        picture = Image.frombytes("P", SIZE[::-1], grey.tobytes())
        picture.putpalette(palette)
        picture.save(tmp_path / name)
    for path in tmp_path.iterdir():
        np.testing.assert_array_equal(read_scribbles(path, photograph), labels, err_msg=path.name)
    with pytest.raises(FileFormatError, match=r"pixels; .*grey\.png has \(40, 50\).*transposed"):
        read_scribbles(tmp_path / "grey.png", photograph.swapaxes(0, 1))
    with pytest.raises(InvalidParameterError, match=r"must be one of the scribbles' \(1, 2\); got 9"):
        read_scribbles(tmp_path / "grey.png", photograph, object_label=9)


@pytest.mark.parametrize("red_first", [True, False])
def test_a_palette_that_holds_both_pens_has_the_say(tmp_path, photograph, labels, red_first):
    pens = [250, 10, 10, 40, 120, 255] if red_first else [40, 120, 255, 250, 10, 10]
    picture = Image.frombytes("P", SIZE[::-1], labels.astype(np.uint8).tobytes())
    picture.putpalette([255, 255, 255, *pens])
    picture.save(tmp_path / "a.png")
    by_colour = np.array([0, 2, 1])[labels] if red_first else labels
    with pytest.warns(ScribbleWarning, match="the red one is taken for the object"):
        seeds = read_scribbles(tmp_path / "a.png", photograph)
    np.testing.assert_array_equal(seeds, by_colour)
    named = read_scribbles(tmp_path / "a.png", photograph, object_colour=colour("blue"))
    np.testing.assert_array_equal(named, np.array([0, 2, 1])[by_colour])
    by_index = read_scribbles(tmp_path / "a.png", photograph, object_label=2, background_label=1)
    np.testing.assert_array_equal(by_index, labels)


def test_our_own_pictures_of_labels_are_read_without_a_word(tmp_path, photograph, labels):
    write_labels(tmp_path / "a.png", labels, colours=colours(3))
    np.testing.assert_array_equal(read_scribbles(tmp_path / "a.png", photograph), labels)
    labels[35, 20:40] = 3
    write_labels(tmp_path / "b.png", labels, colours=colours(3))
    np.testing.assert_array_equal(read_scribbles(tmp_path / "b.png", photograph), labels)


def test_a_pair_of_files(tmp_path, photograph, labels):
    """A mask and a copy painted with one pen of any colour; a layer; each with the other."""
    inside, around = labels == 2, labels == 1
    Image.fromarray(inside.astype(np.uint8) * 255).save(tmp_path / "o-mask.png")
    np.save(tmp_path / "o-mask.npy", inside)
    painted = photograph.copy()
    painted[inside] = (120, 0, 180)
    Image.fromarray(painted).save(tmp_path / "o-copy.png")
    layer = np.zeros((*SIZE, 4), np.uint8)
    layer[around] = (0, 0, 0, 255)
    Image.fromarray(layer).save(tmp_path / "b-layer.png")
    Image.fromarray((around * 7).astype(np.float32)).save(tmp_path / "b-floats.tif")
    for first, second in itertools.product(tmp_path.glob("o-*"), tmp_path.glob("b-*")):
        np.testing.assert_array_equal(read_scribble_pair(first, second, photograph), labels, err_msg=first.name)
    with pytest.warns(ScribbleWarning, match="on top of another"):
        read_scribble_pair(tmp_path / "o-mask.png", tmp_path / "o-copy.png", photograph)
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(FileFormatError, match=r"0 and one other value; .* has 0, 1, 2"):
        read_scribble_pair(tmp_path / "labels.npy", tmp_path / "b-layer.png", photograph)
    both = paint(photograph, labels, (255, 0, 0), (0, 255, 0))
    Image.fromarray(both).save(tmp_path / "both.png")
    with pytest.raises(FileFormatError, match=r"of one pen were looked for; the pens found in .*lime.*red"):
        read_scribble_pair(tmp_path / "both.png", tmp_path / "b-layer.png", photograph)


LINES = {2: [[(20, 10), (20, 39)], [(10, 24), (29, 24)]], 1: [[(3, 4), (3, 46)], [(3, 4), (36, 4)]]}
NAMES = {1: "background", 2: "object"}


def feature(line, **properties):
    points = [[x, y] for y, x in line]
    return {"type": "Feature", "geometry": {"type": "LineString", "coordinates": points}, "properties": properties}


TEXTS = {
    "geo.json": {"type": "FeatureCollection", "features": [feature(p, label=k) for k in LINES for p in LINES[k]]},
    "qupath.geojson": [feature(p, classification={"name": NAMES[k]}) for k in LINES for p in LINES[k]],
    "lines.json": {NAMES[k]: LINES[k] for k in LINES},
    "numbers.json": {str(k): LINES[k] for k in LINES},
    "labelme.json": {
        "shapes": [
            {"label": NAMES[k], "shape_type": "linestrip", "points": [[x, y] for y, x in p]}
            for k in LINES
            for p in LINES[k]
        ]
    },
}


@pytest.mark.parametrize("name", TEXTS)
def test_points_in_json(tmp_path, photograph, name):
    (tmp_path / name).write_text(json.dumps(TEXTS[name]))
    expected = label_image(LINES, photograph, -1, False)
    np.testing.assert_array_equal(read_scribbles(tmp_path / name, photograph), expected)


def napari(path, lines, **more):
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["index", "shape-type", "vertex-index", "axis-0", "axis-1", *more])
        for k, line in enumerate(lines):
            for j, (y, x) in enumerate(line):
                table.writerow([k, "path", j, y, x, *more.values()])


def test_shapes_of_napari(tmp_path, photograph):
    napari(tmp_path / "o.csv", LINES[2])
    napari(tmp_path / "b.csv", LINES[1])
    expected = label_image(LINES, photograph, -1, False)
    seeds = read_scribble_pair(tmp_path / "o.csv", tmp_path / "b.csv", photograph)
    np.testing.assert_array_equal(seeds, expected)
    with pytest.raises(FileFormatError, match=r"must have a label; those in .*Pass a file for the object and one"):
        read_scribbles(tmp_path / "o.csv", photograph)
    napari(tmp_path / "l.csv", LINES[2], label="object")
    np.testing.assert_array_equal(read_scribbles(tmp_path / "l.csv", photograph), np.where(expected == 2, 2, 0))


def test_outlines_are_filled(tmp_path, photograph):
    ring = [[10, 5], [30, 5], [30, 25], [10, 25], [10, 5]]
    told = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {"label": 2}}
    (tmp_path / "a.geojson").write_text(json.dumps(told))
    seeds = read_scribbles(tmp_path / "a.geojson", photograph)
    assert (seeds[5:26, 10:31] == 2).all()
    assert (seeds[8:40, 32:] == 0).all()


HOSTILE = {
    "empty": "",
    "cut off": '{"object": [[1, 2], [3',
    "deep": "[" * 100_000,
    "infinite": '{"object": [[1e999, 2], [3, 4]]}',
    "nan": '{"object": [[NaN, 2], [3, 4]]}',
    "ragged": '{"object": [[[1, 2], [3]]]}',
    "text": '{"object": [["a", "b"]]}',
    "no name": '{"nobody": [[1, 2], [3, 4]]}',
    "zero": '{"0": [[1, 2], [3, 4]]}',
    "huge label": '{"%s": [[1, 2], [3, 4]]}' % ("9" * 5000),
    "null": '{"object": null}',
    "number": "7",
    "geometry": '{"type": "Feature", "geometry": null, "properties": {"label": 1}}',
    "kind": '{"type": "Teapot"}',
    "hole": '{"type": "Polygon", "coordinates": [[[0,0],[9,0],[9,9]], [[1,1],[2,1],[2,2]]]}',
    "three": '{"object": [[[1, 2, 3], [3, 4, 5]]]}',
    "nothing": "{}",
    "no features": '{"type": "FeatureCollection", "features": []}',
    "bytes": "\x00\x01\x02",
    "shapes": '{"shapes": [1, 2]}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json(tmp_path, photograph, name):
    (tmp_path / "a.json").write_text(HOSTILE[name])
    with pytest.raises(FileFormatError, match=r"a\.json"):
        read_scribbles(tmp_path / "a.json", photograph)


def test_far_points_are_clipped(tmp_path, photograph):
    (tmp_path / "a.json").write_text('{"object": [[[-1e6, 25], [1e6, 25]]], "background": [[[3, 3]]]}')
    with pytest.warns(ScribbleWarning, match="were clipped"):
        seeds = read_scribbles(tmp_path / "a.json", photograph)
    assert (seeds[:, 25] == 2).all()


MASKS = {
    "255": lambda inside: inside.astype(np.uint8) * 255,
    "1": lambda inside: inside.astype(np.uint8),
    "bool": lambda inside: inside,
    "labels": lambda inside: np.where(inside, 2, 1),
    "floats": lambda inside: inside.astype(">f8") * 255,
    "int16": lambda inside: inside.astype(">i2") * 300,
}


@pytest.mark.parametrize("kind", MASKS)
def test_masks_of_every_kind(tmp_path, labels, kind):
    np.save(tmp_path / "a.npy", MASKS[kind](labels > 0))
    mask = read_mask(tmp_path / "a.npy")
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, labels > 0)


def test_masks_that_need_a_look(tmp_path, labels):
    inside = labels > 0
    everything = np.full(SIZE, 255, np.uint8)
    Image.fromarray(everything).save(tmp_path / "all.png")
    assert read_mask(tmp_path / "all.png").all()
    picture = Image.frombytes("P", SIZE[::-1], (~inside).astype(np.uint8).tobytes())
    picture.putpalette([255, 255, 255, 0, 0, 0])  # index 0 is white
    picture.save(tmp_path / "inverted.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "inverted.png"), inside)
    Image.fromarray(np.where(inside[..., None], (0, 200, 0), 0).astype(np.uint8)).save(tmp_path / "green.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "green.png"), inside)
    np.save(tmp_path / "labels.npy", labels + 4)
    with pytest.raises(FileFormatError, match=r"has 3 values: 4, 5, 6\. Say which label"):
        read_mask(tmp_path / "labels.npy")
    np.testing.assert_array_equal(read_mask(tmp_path / "labels.npy", label=6), labels == 2)
    np.save(tmp_path / "broken.npy", labels + 0.5)
    with pytest.raises(FileFormatError, match=r"must be whole numbers; .* has 2000 others, the first 0\.5"):
        read_labels(tmp_path / "broken.npy")


def test_masks_with_soft_edges_are_cut_with_a_word(tmp_path, labels):
    inside = np.kron(labels > 0, np.ones((4, 4), bool))
    Image.fromarray(inside.astype(np.uint8) * 255).save(tmp_path / "a.jpg", quality=80)
    with pytest.warns(VarconvexWarning, match=r"nearly all of them near 0 or 255.*cut at 128"):
        mask = read_mask(tmp_path / "a.jpg")
    assert (mask == inside).mean() > 0.999
    shades = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    Image.fromarray(shades).save(tmp_path / "shades.png")
    with pytest.raises(FileFormatError, match="has 256 values"):
        read_mask(tmp_path / "shades.png")


def test_a_saved_result_is_its_labels(tmp_path):
    image = np.zeros((16, 20))
    image[4:12, 5:15] = 1
    result = segment(image, {"object": [(8, 10)], "background": [(1, 1)]})
    result.save(tmp_path / "a.npz")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.npz"), result.labels)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.npz"), result.mask)
    probability = read_mask(tmp_path / "a.npz", probability=True, key="probability")
    np.testing.assert_allclose(probability, np.asarray(result.probability).squeeze(), atol=1e-6)


@pytest.mark.parametrize("dtype", ["u1", ">u2", "i2", "f4", "f8", "?"])
def test_probabilities_of_every_type(tmp_path, dtype):
    dtype = np.dtype(dtype)
    largest = np.iinfo(dtype).max if dtype.kind in "iu" else 1
    values = (np.array([[0, 0.2, 1]]) * largest).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    expected = values.astype(float) / largest
    np.testing.assert_allclose(read_mask(tmp_path / "a.npy", probability=True), expected, atol=1e-6)


def test_colours():
    assert colour("red") == (255, 0, 0)
    assert colour("#0a0B0c") == (10, 11, 12)
    with pytest.raises(InvalidParameterError, match="a colour must be a name or #rrggbb; got 'reddish'"):
        colour("reddish")


def test_volumes(tmp_path, labels):
    volume = np.stack([labels, labels[::-1], labels])
    np.save(tmp_path / "image.npy", volume * 40.0)
    np.save(tmp_path / "labels.npy", volume.astype(np.uint8))
    image = open_image(tmp_path / "image.npy")
    np.testing.assert_array_equal(read_scribbles(tmp_path / "labels.npy", image), volume)
    (tmp_path / "a.json").write_text('{"object": [[[0, 20, 10], [2, 20, 39]]], "background": [[[1, 2, 2]]]}')
    drawn = label_image({2: [[(0, 20, 10), (2, 20, 39)]], 1: [[(1, 2, 2)]]}, image.array, None, False)
    np.testing.assert_array_equal(read_scribbles(tmp_path / "a.json", image), drawn)
    assert issubclass(FileFormatError, ValueError)
    assert issubclass(InvalidScribblesError, ValueError)
