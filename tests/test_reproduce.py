"""The paper's tables on a few images that are made here: the grid, resuming, bad input, and the command."""

import json
import re
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from varconvex import segment
from varconvex.adapters import SamPredictor
from varconvex.batch.manifest import Manifest
from varconvex.cli import main
from varconvex.datasets.folders import list_samples
from varconvex.errors import FileFormatError, InvalidParameterError, ShapeWarning
from varconvex.io.reading import read_image
from varconvex.metrics import iou
from varconvex.reproduce import layout, table1, table2
from varconvex.reproduce.run import sample_key

pytestmark = pytest.mark.usefixtures("brief_networks")


def counted(monkeypatch, module):
    calls = []
    score = module.score

    def counting(*args, **kwargs):
        calls.append(args)
        return score(*args, **kwargs)

    monkeypatch.setattr(module, "score", counting)
    return calls


@pytest.mark.slow
def test_the_whole_grid_in_the_papers_layout(data, tmp_path):
    found, _ = table1.table1(list_samples(data)[:1], tmp_path / "out", seeds=(1,))
    cells = found["cells"]
    assert len(cells) == 3 * 2 * 2 + 2
    for cell in cells:
        assert 0.3 < cell["convex"] <= 1
        assert cell["empty"] == 0
        assert cell["uncertified"] == 0
    text = layout.table(found)
    assert text.count("CNN / convex") == text.count("FCN / convex") == 3
    assert "0.697 / 0.763" in text
    assert "0.768 / 0.769" in text
    assert all(f"{cell['predictor']:.3f}" in text for cell in cells)


def small(data, out, **options):
    return table1.table1(list_samples(data), out, seeds=(1,), inputs=["rgb+xy"], networks=["fcn"], **options)


def test_a_figure_is_the_mean_over_images_and_then_over_seeds(data, tmp_path):
    found, results = table1.table1(
        list_samples(data), tmp_path / "out", seeds=(1, 2), inputs=["rgb+xy"], networks=["fcn"]
    )
    names = [f"rgb+xy_fcn_joint_seed{seed}" for seed in (1, 2)]
    means = [np.mean([results.by_cell[n][image]["convex"] for image in ("a", "b")]) for n in names]
    cell = next(c for c in found["cells"] if (c["network"], c["unify"]) == ("fcn", "joint"))
    assert cell["convex"] == pytest.approx(np.mean(means))
    assert cell["convex_spread"] == pytest.approx(np.std(means, ddof=1))
    assert f"{cell['predictor']:.3f}+-{cell['predictor_spread']:.3f}" in layout.table(found)


def test_nothing_is_computed_twice_and_nothing_that_was_changed_is_believed(data, tmp_path, monkeypatch):
    calls = counted(monkeypatch, table1)
    out = tmp_path / "out"
    first, _ = small(data, out)
    assert len(calls) == 2 * 4
    again, _ = small(data, out)
    assert len(calls) == 2 * 4
    assert again["reused"] == 2 * 4
    assert again["cells"] == first["cells"]
    lines = (out / "manifest.jsonl").read_text().splitlines()
    lines[0] = lines[0].replace('"convex": 0.', '"convex": 0.1')  # a number changed by hand
    lines[1] = json.dumps({**json.loads(lines[1]), "result": {}})
    lines[2] = "[" * 100_000
    (out / "manifest.jsonl").write_text("\n".join([*lines[:-1], lines[-1][:40]]))  # as a killed run leaves it
    third, _ = small(data, out)
    assert len(calls) == 2 * 4 + 4
    for one, two in zip(third["cells"], first["cells"], strict=True):
        assert one | {"seconds": 0} == two | {"seconds": 0}


def test_a_run_that_is_interrupted_goes_on_where_it_was(data, tmp_path, monkeypatch):
    calls, score = [], table1.score

    def interrupted(*args, **kwargs):
        calls.append(args)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return score(*args, **kwargs)

    monkeypatch.setattr(table1, "score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small(data, tmp_path / "out")
    found, _ = small(data, tmp_path / "out")
    assert found["reused"] == 5
    assert len(calls) == 6 + 3


def test_other_settings_images_or_code_are_noticed(data, monkeypatch):
    sample = list_samples(data)[0].read()
    settings = {"seed": 1}
    key = sample_key(settings, sample)
    assert key == sample_key({"seed": 1}, list_samples(data)[0].read())
    others = [sample_key({"seed": 2}, sample)]
    for part in ("image", "scribbles", "truth", "scored"):
        array = getattr(sample, part).copy()
        array.flat[0] ^= True
        others.append(sample_key(settings, replace(sample, **{part: array})))
    monkeypatch.setattr("varconvex.batch.keys.fingerprint", lambda: "another version")
    others.append(sample_key(settings, sample))
    assert len({key, *others}) == 7


def test_two_images_of_one_name_are_refused(data):
    shutil.copy(data / "images" / "a.png", data / "images" / "a.jpeg")
    with pytest.raises(FileFormatError, match=r"a name of its own; got a\.jpeg and a\.png"):
        list_samples(data)


def test_a_second_run_into_the_folder_is_refused(data, tmp_path):
    with Manifest(tmp_path / "out"), pytest.raises(FileFormatError, match="in use by process"):
        small(data, tmp_path / "out")


def break_truth(data):
    (data / "ground_truth" / "a.png").unlink()
    return r"a\.png does not exist"


def break_scribbles(data):
    Image.fromarray(np.zeros((90, 120), np.uint8)).save(data / "scribbles" / "a.png")
    return "at least two labels"


def break_size(data):
    Image.fromarray(np.zeros((9, 12), np.uint8)).save(data / "scribbles" / "a.png")
    return "must have its image's size"


def break_file(data):
    (data / "images" / "a.png").write_bytes(b"\x89PNG and no more")
    return "a readable image file was expected"


def break_convexity(data):
    index = np.array(Image.open(data / "scribbles" / "a.png"))
    index[40, 40] = 2
    Image.fromarray(index).save(data / "scribbles" / "a.png")
    return "hull of the object scribbles"


BREAKS = [break_truth, break_scribbles, break_size, break_file, break_convexity]


def test_an_image_that_cannot_be_used_is_named_and_in_no_mean(data, tmp_path):
    whole, _ = small(data, tmp_path / "out")
    assert whole["skipped"] == {}
    for k, broken in enumerate(BREAKS):
        folder = tmp_path / str(k)
        shutil.copytree(data, folder)
        reason = broken(folder)
        # What is known of the other image is not computed again.
        found, results = small(folder, tmp_path / "out")
        assert found["images"] == 1
        assert list(found["skipped"]) == ["a"]
        assert re.search(reason, found["skipped"]["a"])
        assert all(list(cell) == ["b"] for cell in results.by_cell.values())
        assert "left out (1):\n  a: " in layout.table(found)


def test_no_image_at_all_is_an_error(data, tmp_path):
    (data / "ground_truth" / "b.png").unlink()
    break_truth(data)
    with pytest.raises(FileFormatError, match=r"at least one image that can be used.*a: "):
        small(data, tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileFormatError, match="can be written was expected"):
        small(data, tmp_path / "file")


def test_alone_is_another_cell(data, tmp_path, monkeypatch):
    calls = counted(monkeypatch, table1)
    small(data, tmp_path / "out")
    before = len(calls)
    found, _ = small(data, tmp_path / "out", alone=True)
    assert len(calls) == before + 4  # the energy's own cells are as they were
    assert "the network alone" in layout.table(found)


@pytest.mark.slow
def test_ones_own_features(data, tmp_path, two_blobs):
    features = tmp_path / "features"
    options = {"seeds": (1,), "inputs": ["rgb+features"], "networks": ["fcn"], "features": features}
    with pytest.raises(FileFormatError, match="a folder of features"):
        table1.table1(list_samples(data), tmp_path / "out", **options)
    features.mkdir()
    disc = two_blobs[2]
    for name, shift in (("a", 0), ("b", 6)):
        np.save(features / f"{name}.npy", np.roll(disc, shift, axis=1)[..., None].astype(np.float32))
    found, _ = table1.table1(list_samples(data), tmp_path / "out", **options)
    plain, _ = table1.table1(list_samples(data), tmp_path / "out", **(options | {"features": None}))
    assert found["cells"][0]["predictor"] > plain["cells"][0]["predictor"]
    (features / "b.npy").unlink()
    found, _ = table1.table1(list_samples(data), tmp_path / "out", **options)
    assert list(found["skipped"]) == ["b"]


def test_table_2_on_ones_own_masks(data, tmp_path, two_blobs, rng):
    masks = tmp_path / "masks"
    truths = {name: np.array(Image.open(data / "ground_truth" / f"{name}.png")) > 0 for name in ("a", "b")}
    for column in ("clean", "gaussian_noise"):
        (masks / column).mkdir(parents=True)
        for name, truth in truths.items():
            noisy = truth ^ (rng.random(truth.shape) < 0.1)
            Image.fromarray(noisy.astype(np.uint8) * 255).save(masks / column / f"{name}.png")
    found, _ = table2.table2(list_samples(data), tmp_path / "out", masks=masks)
    clean, _noise = found["cells"]
    mask = np.array(Image.open(masks / "clean" / "a.png")) > 0
    other = np.array(Image.open(masks / "clean" / "b.png")) > 0
    assert clean["map"] == pytest.approx((iou(mask, truths["a"]) + iou(other, truths["b"])) / 2)
    assert clean["projected"] > 0.97 > clean["map"]
    assert clean["alone"] > 0.97  # noise is undone without strokes, too
    text = layout.table(found)
    assert "0.7275" in text
    assert "raises or keeps the mean in 2 of 2 columns" in text
    # One that is missing or of another size is named, and left out of its own column only.
    (masks / "clean" / "a.png").unlink()
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(masks / "gaussian_noise" / "b.png")
    found, _ = table2.table2(list_samples(data), tmp_path / "out", masks=masks)
    assert [c["images"] for c in found["cells"]] == [1, 1]
    assert found["cells"][0]["map"] == pytest.approx(iou(other, truths["b"]))
    assert sorted(found["skipped"]) == ["a, clean_seed42", "b, gaussian_noise_seed42"]
    assert "it has (5, 5)" in found["skipped"]["b, gaussian_noise_seed42"]
    with pytest.raises(FileFormatError, match="subfolders of masks"):
        table2.table2(list_samples(data), tmp_path / "out", masks=data)
    with pytest.raises(FileFormatError, match=r"model\.safetensors was expected"):
        table2.table2(list_samples(data), tmp_path / "out", sam=data)
    with pytest.raises(InvalidParameterError, match="one of them"):
        table2.table2(list_samples(data), tmp_path / "out", masks=masks, sam=data)


def test_table_2_asks_sam(data, tmp_path, monkeypatch):
    pytest.importorskip("imagecorruptions")
    seen = []

    class Sees:
        """The interface of segment_anything.SamPredictor; what is as bright as the prompted pixel is the object."""

        def set_image(self, image):
            self.grey = image.mean(axis=-1)

        def predict(self, **prompt):
            assert prompt["point_coords"].shape == (1, 2)
            (column, row) = prompt["point_coords"][0].astype(int)
            alike = 2 - np.abs(self.grey - self.grey[row, column]) / 16
            seen.append(alike > 0)
            return None, np.array([0.2, 0.1]), np.stack([alike, -alike])

    (tmp_path / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(table2, "_sam", lambda folder: SamPredictor(Sees(), choice="score"))
    found, results = table2.table2(list_samples(data)[:1], tmp_path / "out", sam=tmp_path, pictures=1)
    clean = found["cells"][0]
    assert found["predictor"] == "sam"
    assert clean["map"] == pytest.approx(iou(seen[0], list_samples(data)[0].read().truth))
    assert clean["projected"] > clean["map"]
    assert layout.before_and_after(found, results, tmp_path) is not None


@pytest.mark.slow
def test_processes_find_the_same_table(data, tmp_path):
    masks = tmp_path / "masks"
    shutil.copytree(data / "ground_truth", masks / "clean")
    tables = [table2.table2(list_samples(data), tmp_path / str(j), masks=masks, jobs=j)[0] for j in (None, 2)]
    one, two = (table["cells"][0] | {"seconds": 0} for table in tables)
    assert one == two
    assert one["images"] == 2


def test_table_2_corrupts_the_images_itself(data, tmp_path, monkeypatch):
    pytest.importorskip("imagecorruptions")
    calls = counted(monkeypatch, table2)
    found, _ = table2.table2(list_samples(data)[:1], tmp_path / "out", predictor="energy")
    assert [c["corruption"] for c in found["cells"]] == list(table2.COLUMNS)
    assert len(calls) == 9
    clean = found["cells"][0]
    assert clean["projected"] >= clean["map"]
    table2.table2(list_samples(data)[:1], tmp_path / "out", predictor="energy")
    assert len(calls) == 9


def test_the_command_writes_table_numbers_and_pictures(data, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["reproduce", "table1", "--data", str(data), "--limit", "1", "--seeds", "3", "--out", str(out)]
    assert main([*arguments, "--networks", "fcn", "--inputs", "rgb+xy", "--pictures", "1"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Table 1")
    assert (out / "table1.txt").read_text().strip() in text
    assert json.loads((out / "table1.json").read_text())["images"] == 1
    assert read_image(out / "figure2.png").shape[1] > 4 * 400
    lines = (out / "manifest.jsonl").read_text().splitlines()
    assert len(lines) == 4
    assert json.loads(lines[0])["image"] == "a"


def test_the_command_does_not_warn_of_each_image(data, tmp_path, monkeypatch):
    def doubtful(*arguments, **options):
        warnings.warn("not convex", ShapeWarning, stacklevel=1)
        return segment(*arguments, **options)

    monkeypatch.setattr(table1, "segment", doubtful)
    arguments = ["reproduce", "table1", "--data", str(data), "--limit", "1", "--seeds", "3", "--pictures", "0"]
    assert main([*arguments, "--networks", "fcn", "--inputs", "rgb+xy", "--out", str(tmp_path / "out")]) == 0


def test_the_commands_table_2(data, tmp_path, capsys):
    (tmp_path / "masks").mkdir()
    (data / "ground_truth").rename(tmp_path / "masks" / "clean")
    (data / "ground_truth").mkdir()
    for name in ("a", "b"):
        (data / "ground_truth" / f"{name}.png").write_bytes((tmp_path / "masks" / "clean" / f"{name}.png").read_bytes())
    out = tmp_path / "out"
    arguments = ["reproduce", "table2", "--data", str(data), "--out", str(out), "--masks", str(tmp_path / "masks")]
    assert main(arguments) == 0
    assert "proj(SAM)" in capsys.readouterr().out
    assert read_image(out / "corruptions.png").shape[0] > 100


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (["--limit", "0"], "--limit must be at least 1"),
        (["--inputs", "rgb"], "--inputs must be among"),
        (["--data", "nowhere"], "is not there"),
    ],
)
def test_the_command_judges_its_options(data, tmp_path, capsys, more, match):
    assert main(["reproduce", "table1", "--data", str(data), "--out", str(tmp_path / "out"), *more]) == 2
    assert match in capsys.readouterr().err
