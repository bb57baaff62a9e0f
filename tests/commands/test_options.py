"""Options of the shell are the keywords of the functions, and mean the same."""

import argparse
import inspect
import json
import typing

import numpy as np
import pytest
from PIL import Image

import varconvex
from varconvex.cli import main
from varconvex.commands import options
from varconvex.errors import InvalidParameterError
from varconvex.io import open_image, read_scribbles
from varconvex.predictors import GivenPredictor
from varconvex.threads import n_threads

IMAGE = np.random.default_rng(0).integers(0, 255, (6, 7), dtype=np.uint8)
SCRIBBLES = np.zeros((6, 7), np.uint8)
SCRIBBLES[0], SCRIBBLES[3, 2:4] = 1, 2
MASK = np.arange(42).reshape(6, 7) % 3 > 0
WEIGHT = np.random.default_rng(1).random((6, 7))
FEATURES = np.random.default_rng(2).random((6, 7, 3))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Files of an image, scribbles, a mask, weights and features; the process works beside them."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(IMAGE).save("image.png")
    Image.fromarray(SCRIBBLES).save("scribbles.png")
    Image.fromarray((255 * MASK).astype(np.uint8)).save("mask.png")
    np.save("weight.npy", WEIGHT)
    np.save("features.npy", FEATURES)
    return tmp_path


@pytest.fixture
def called(files, monkeypatch):
    """What the commands pass to `segment` and `project`, which are not run."""
    found = {}

    def caught(function):
        def run(*arguments, **keywords):
            inspect.signature(function).bind(*arguments, **keywords)
            found.update(keywords, arguments=arguments)
            raise InvalidParameterError("caught")

        return run

    for name in ("segment", "project"):
        monkeypatch.setattr(f"varconvex.api.{name}", caught(getattr(varconvex, name)))
    return found


@pytest.mark.parametrize(
    ("function", "names"), [("segment", options.SEGMENT), ("project", options.PROJECT), ("refine", options.REFINE)]
)
def test_every_keyword_is_an_option(function, names):
    parameters = inspect.signature(getattr(varconvex, function)).parameters
    assert set(names) - set(options.PARTS) == set(parameters) - set(options.NOT_IN_A_SHELL)


def test_choices_are_those_of_the_types():
    from varconvex import options as types

    for name, kind in [("tv", types.TV), ("unify", types.Unify), ("nan_policy", types.NanPolicy)]:
        assert options.OPTIONS[name].choices == typing.get_args(kind)


CASES = {
    "--alpha 2.5": {"alpha": 2.5},
    "--shape convex": {"shape": "convex"},
    "--shape none": {"shape": None},
    "--shape 2=convex,3=none": {"shape": {2: "convex", 3: None}},
    "--unify joint": {"unify": "joint"},
    "--predictor fcn": {"predictor": "fcn"},
    "--likelihood histogram": {"likelihood": "histogram"},
    "--edge-weight none": {"edge_weight": None},
    "--edge-weight contrast": {"edge_weight": "contrast"},
    "--edge-weight weight.npy": {"edge_weight": WEIGHT},
    "--tv octagonal": {"tv": "octagonal"},
    "--relaxation ccp": {"relaxation": "ccp"},
    "--components all": {"components": "all"},
    "--channel-axis none": {"channel_axis": None},
    "--channel-axis 0": {"channel_axis": 0},
    "--channel-axis -1": {"channel_axis": -1},
    "--rgba yes": {"rgba": True},
    "--rgba no": {"rgba": False},
    "--mask mask.png": {"mask": MASK},
    "--spacing 2": {"spacing": 2.0},
    "--spacing 2.5,1": {"spacing": [2.5, 1.0]},
    "--nan-policy mask": {"nan_policy": "mask"},
    "--strict": {"strict": True},
    "--backend numpy": {"backend": "numpy"},
    "--max-iter 7": {"max_iter": 7},
    "--tol 1e-5": {"tol": 1e-5},
    "--time-limit 3": {"time_limit": 3.0},
    "--certainty": {"certainty": True},
    "--random-state 4": {"random_state": 4},
    "--seed 4": {"random_state": 4},
}


def same(a, b):
    return np.array_equal(a, b) and np.asarray(a).dtype == np.asarray(b).dtype if isinstance(b, np.ndarray) else a == b


@pytest.mark.parametrize("text", CASES)
def test_an_option_is_its_keyword(called, text):
    assert main(["segment", "image.png", "scribbles.png", "-o", "out.png", "-q", *text.split()]) == 2
    for name, value in CASES[text].items():
        assert same(called[name], value)
    np.testing.assert_array_equal(called["arguments"][0], IMAGE)
    np.testing.assert_array_equal(called["arguments"][1], SCRIBBLES)
    elsewhere = {"--features", "--given", "--inside", "--outside", "--kind", "--reach"}
    assert {option.split()[0] for option in CASES} | elsewhere >= {options.flag(name) for name in options.OPTIONS}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--inside mask.png", {"inside": MASK}),
        ("--outside mask.png --spacing 1,3", {"outside": MASK, "spacing": [1.0, 3.0]}),
        ("--shape polygon --backend numpy --seed 1", {"shape": "polygon", "backend": "numpy", "random_state": 1}),
    ],
)
def test_options_of_project(called, text, expected):
    assert main(["project", "mask.png", "-o", "out.png", "-q", *text.split()]) == 2
    assert all(same(called[name], value) for name, value in expected.items())
    np.testing.assert_array_equal(called["arguments"][0], MASK)


def test_features_and_given_maps(called, capsys, tmp_path):
    base = ["segment", "image.png", "scribbles.png", "-o", "out.png", "-q"]
    assert main([*base, "--predictor", "fcn", "--features", "features.npy"]) == 2
    assert called["predictor"] == "fcn"
    np.testing.assert_array_equal(called["features"], FEATURES)
    assert main([*base, "--features", str(tmp_path / "network.onnx")]) == 2
    assert called["features"] == str(tmp_path / "network.onnx")
    assert main([*base, "--given", "mask.png"]) == 2
    assert isinstance(called["predictor"], GivenPredictor)
    np.testing.assert_array_equal(called["predictor"].given > 0, MASK)
    capsys.readouterr()
    assert main([*base, "--given", "mask.png", "--predictor", "cnn"]) == 2
    assert "must be the only predictor; got 'cnn'" in capsys.readouterr().err


def test_what_is_no_mask_and_no_predictor_in_the_shell(called, capsys):
    np.save("soft.npy", WEIGHT)
    base = ["segment", "image.png", "scribbles.png", "-o", "out.png", "-q"]
    for option, match in [
        ("--mask soft.npy", "a mask must have two values; soft.npy has probabilities"),
        ("--predictor given", "Pass the map of another program as --given FILE"),
        ("--predictor classifier", "energy, fcn or cnn; got 'classifier'"),
    ]:
        assert main([*base, *option.split()]) == 2
        assert match in capsys.readouterr().err


def test_given_options_are_json_and_name_their_files():
    parser = argparse.ArgumentParser()
    options.add_options(parser)
    text = "--alpha 2 --mask m.png --edge-weight none --shape 2=convex --spacing 1,2 --strict --given g.npy"
    given = options.given(parser.parse_args(text.split()))
    assert json.loads(json.dumps(given)) == given
    assert given == {
        "alpha": 2.0,
        "shape": "2=convex",
        "edge_weight": "none",
        "mask": "m.png",
        "spacing": [1.0, 2.0],
        "strict": True,
        "given": "g.npy",
    }
    assert options.files_of(given) == ["m.png", "g.npy"]


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("alpha", "much", "alpha must be NUMBER; got 'much'"),
        ("max_iter", "1.5", "max_iter must be N; got"),
        ("spacing", "1,b", "spacing must be NUMBERS"),
        ("shape", "two=convex", "shape must be SHAPE"),
        ("shape", "2=convex,2=hull", "shape must be SHAPE"),
        ("tv", "iso", "tv must be one of isotropic, anisotropic, octagonal; got 'iso'"),
        ("strict", "perhaps", "strict must be yes or no"),
        ("alhpa", "1", "Did you mean alpha"),
    ],
)
def test_what_an_option_cannot_be(name, text, match):
    with pytest.raises(InvalidParameterError, match=match):
        options.parse(name, text)


def test_cells_of_a_table():
    assert options.parse("strict", "yes") is True
    assert options.parse("strict", "0") is False
    assert options.parse("alpha", "3") == 3.0
    assert options.parse("channel_axis", "None") == "none"


def test_options_of_files_are_keywords_of_the_readers():
    opening = set(inspect.signature(open_image).parameters) - {"path", "indices"}
    assert set(options.FILE_OPTIONS) == opening
    pens = set(inspect.signature(read_scribbles).parameters) - {"path", "photograph"} - opening
    assert set(options.PENS) == pens
    assert len(options.ALL_OPTIONS) == len(options.OPTIONS) + len(opening) + len(pens) + len(options.ON_DISK)


def test_frames_and_keys_reach_the_file(called):
    np.savez("images.npz", a=np.zeros((6, 7)), b=np.stack([IMAGE, IMAGE // 2]))
    arguments = ["segment", "images.npz", "scribbles.png", "-o", "out.png", "-q"]
    assert main([*arguments, "--key", "b", "--axes", "tyx", "--frame", "1"]) == 2
    np.testing.assert_array_equal(called["arguments"][0], IMAGE // 2)
    assert options.parse("frame", "1,2") == [1, 2]
    assert options.parse("key", "3") == 3


def test_scribbles_in_two_files(called, capsys):
    Image.fromarray((SCRIBBLES == 2).astype(np.uint8) * 255).save("object.png")
    Image.fromarray((SCRIBBLES == 1).astype(np.uint8) * 9).save("background.png")
    pair = ["--object", "object.png", "--background", "background.png"]
    assert main(["segment", "image.png", "-o", "out.png", "-q", *pair]) == 2
    np.testing.assert_array_equal(called["arguments"][1], SCRIBBLES)
    capsys.readouterr()
    for wrong in (pair[:2], ["scribbles.png", *pair], []):
        assert main(["segment", "image.png", *wrong, "-o", "out.png", "-q"]) == 2
        assert "strokes must be in SCRIBBLES, or in --object FILE and --background FILE" in capsys.readouterr().err


def test_pens_are_named_in_the_shell(called, capsys):
    large = SCRIBBLES.repeat(5, axis=0).repeat(5, axis=1)
    grey = np.stack([IMAGE.repeat(5, axis=0).repeat(5, axis=1) // 2] * 3, axis=-1)
    painted = grey.copy()
    painted[large == 1], painted[large == 2] = (255, 255, 0), (0, 255, 0)
    Image.fromarray(grey).save("grey.png")
    Image.fromarray(painted).save("painted.png")
    arguments = ["segment", "grey.png", "painted.png", "-o", "out.png", "-q"]
    assert main([*arguments, "--object-colour", "lime", "--background-colour", "#ffff00"]) == 2
    np.testing.assert_array_equal(called["arguments"][1], large)
    assert main([*arguments, "--object-colour", "nocolour"]) == 2
    assert "a colour must be a name or #rrggbb" in capsys.readouterr().err


def test_threads_are_set(called, monkeypatch, capsys):
    numba = pytest.importorskip("numba")
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    base = ["segment", "image.png", "scribbles.png", "-o", "out.png", "-q"]
    assert main([*base, "--threads", "1"]) == 2
    assert n_threads() == 1
    assert main([*base, "--threads", "0"]) == 2
    assert "threads must be" in capsys.readouterr().err
