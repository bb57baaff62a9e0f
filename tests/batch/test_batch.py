"""Batches: results, resuming, failures, names, transfer, the table, the page, the command."""

import json
import os
import re
import time
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from varconvex import segment
from varconvex.batch import run
from varconvex.batch.manifest import Manifest
from varconvex.batch.progress import Progress, Reporter, duration
from varconvex.cli import main
from varconvex.errors import (
    FileFormatError,
    InvalidParameterError,
    UnknownKeywordError,
)
from varconvex.io import open_image, read_image, read_scribbles


def lines(out):
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def mask(path):
    return read_image(path) > 0


def test_results_are_those_of_segment(photos, tmp_path):
    folder, discs = photos
    told = []
    summary = run(folder, tmp_path / "out", progress=told.append, alpha=2.0)
    assert (summary.images, summary.done, summary.failed, summary.reused) == (3, 3, 0, 0)
    for name in discs:
        image = read_image(folder / f"{name}.png")
        alone = segment(image, read_scribbles(folder / f"{name}-scribbles.png", image), alpha=2.0)
        np.testing.assert_array_equal(mask(tmp_path / "out" / f"{name}.png"), alone.mask)
        assert (alone.mask == discs[name]).mean() > 0.99
    assert [record["name"] for record in lines(tmp_path / "out")] == ["a.png", "b.png", "c.png"]
    assert [(p.done, p.total) for p in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert told[0].seconds_left is None
    assert told[-1].seconds_left == 0


def test_what_changed_is_computed_again_and_nothing_else(draw, photos, tmp_path, monkeypatch):
    folder, _ = photos
    out = tmp_path / "out"
    run(folder, out)

    def computed(**keywords):
        told = []
        run(folder, out, progress=told.append, **keywords)
        return [p.name for before, p in pairwise(told) if p.done > before.done]

    assert computed() == []
    draw(folder, "b", seed=9)
    assert computed() == ["b.png"]
    Image.fromarray(np.pad(np.full((2, 24), 1, np.uint8), ((0, 22), (0, 0)))).save(folder / "a-scribbles.png")
    assert computed() == []  # it fails: one label only
    assert not (out / "a.png").exists()  # the former result is none of these strokes
    draw(folder, "a", seed=0)
    assert computed() == ["a.png"]
    (out / "c.png").unlink()
    Image.fromarray(np.zeros((24, 24), np.uint8)).save(out / "a.png")
    assert computed() == ["a.png", "c.png"]
    assert computed(alpha=3.0) == ["a.png", "b.png", "c.png"]
    assert computed(alpha=3.0) == []
    assert computed(options={"alpha": 3.0}, reading={"object_label": None}) == []  # the same, as a shell says it
    monkeypatch.setattr("varconvex.batch.keys.fingerprint", lambda: "another version")
    assert computed(alpha=3.0) == ["a.png", "b.png", "c.png"]


def test_one_images_failure_does_not_stop_the_others(draw, photos, tmp_path, capsys):
    folder, _ = photos
    draw(folder, "d", ending=".tif")
    (folder / "a.png").write_bytes(b"\x89PNG and no more")
    (folder / "b-scribbles.png").unlink()
    (folder / "d.tif").write_bytes(b"")
    out = tmp_path / "out"
    assert main(["batch", str(folder), "--out", str(out), "--jobs", "1", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["failed"]) == (1, 3)
    assert "readable image" in told["failures"]["a.png"]
    assert "strokes were expected for b.png" in told["failures"]["b.png"]
    assert sorted(p.name for p in out.glob("*.png")) == ["c.png"]
    page = (out / "index.html").read_text()
    assert page.index("d.png") < page.index("c.png")
    draw(folder, "a"), draw(folder, "b"), draw(folder, "d", ending=".tif")
    assert main(["batch", str(folder), "--out", str(out), "--jobs", "1"]) == 0
    assert "3 done, 0 failed, 1 were there" in capsys.readouterr().out


def test_a_changed_or_torn_manifest_is_not_believed(photos, tmp_path):
    folder, _ = photos
    out = tmp_path / "out"
    run(folder, out)
    first, second, third = (out / "manifest.jsonl").read_text().splitlines()
    hostile = [b"[" * 100_000, b'{"name": "../x", "check": 1}', b"\xff\x00", b"9" * 5000, b"null", third[:50].encode()]
    changed = second.replace('"status": "done"', '"status": "done" ').replace('"converged": true', '"converged": false')
    (out / "manifest.jsonl").write_bytes(b"\n".join([first.encode(), changed.encode(), *hostile]))
    summary = run(folder, out)
    assert (summary.reused, summary.done) == (1, 2)
    assert len(lines(out)) == 3


HOSTILE = [
    "<script>alert(1)<", "with space", "new\nline", "ünïcödé", "a&b\"c'd", "javascript:alert(1)", "%2e%2e", "-n", "~",
    "x" * 200, "manifest.jsonl", "index.html", "a;b,c", "\udcff\udcfe",
]  # fmt: skip


def test_names_stay_in_the_folder_and_are_text_on_the_page(draw, tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "out"
    for k, name in enumerate(HOSTILE):
        draw(folder, name, seed=k)
    summary = run(folder, out)
    assert (summary.done, summary.failed) == (len(HOSTILE), 0)
    assert sorted(p.name for p in out.glob("*.png")) == sorted(f"{name}.png" for name in HOSTILE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "photos"]
    page = (out / "index.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;.png" in page
    assert 'href="./javascript%3Aalert' in page
    assert run(folder, out).reused == len(HOSTILE)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["a1.png", "a1.jpeg"], r"a1\.jpeg and .*a1\.png would both become 'a1\.png'"),
        (["B.png", "b.png"], r"would both become 'b\.png'"),
        ([unicodedata.normalize(form, "é") + ".png" for form in ("NFC", "NFD")], "would both become"),
        (["ß.png", "SS.png"], "would both become"),
    ],
)
def test_two_images_to_one_result_are_an_error_before_the_start(draw, tmp_path, names, match):
    for name in names:
        draw(tmp_path / "photos", Path(name).stem, ending=Path(name).suffix)
    with pytest.raises(FileFormatError, match=match):
        run(tmp_path / "photos", tmp_path / "out", tmp_path / "photos" / f"{Path(names[0]).stem}-scribbles.png")
    assert not (tmp_path / "out").exists()


def test_inputs_are_never_replaced_and_links_not_followed(photos, tmp_path):
    folder, _ = photos
    with pytest.raises(FileFormatError, match="another folder than images"):
        run(folder, folder)
    with pytest.raises(FileFormatError, match="is an input of this batch"):
        run(folder / "a.png", folder)
    table = tmp_path / "table.csv"
    for name in ("../x.png", "/x.png", ".varconvex/x.png", "b/../../x.png", "x.exe", ".."):
        table.write_text(f"image,output\nphotos/a.png,{name}\n")
        with pytest.raises(FileFormatError, match=r"must stay in the output folder|must end in"):
            run(table, tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "elsewhere")
    table.write_text("image,output\nphotos/a.png,sub/x.png\n")
    with pytest.raises(FileFormatError, match="a link leads"):
        run(table, tmp_path / "out")
    (tmp_path / "out" / "a.png").symlink_to(folder / "b.png")
    before = (folder / "b.png").read_bytes()
    run(folder / "a.png", tmp_path / "out")
    assert (folder / "b.png").read_bytes() == before
    assert not (tmp_path / "out" / "a.png").is_symlink()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_patterns_and_folders_within_folders(draw, tmp_path):
    folder = tmp_path / "photos"
    draw(folder / "one", "a"), draw(folder / "two", "a", seed=1), draw(folder / ".hidden", "c"), draw(folder, ".d")
    out = folder / "out"
    assert run(f"{folder}/**/*.png", out).done == 2
    assert run(f"{folder}/**/*.png", out).images == 2  # results are no images
    assert mask(out / "one" / "a.png").any()
    assert run([folder / "one" / "a.png", folder / "two" / "a.png"], tmp_path / "other").done == 2
    assert (tmp_path / "other" / "two" / "a.png").exists()
    expanded = sorted(str(path) for path in (folder / "one").iterdir())  # as a shell does it, with the strokes
    assert run(expanded, tmp_path / "expanded").images == 1
    for wrong in (f"{folder}/*.jpg", folder / "nowhere", folder / "nothing.png", []):
        with pytest.raises(FileFormatError, match="expected"):
            run(wrong, out)


def test_strokes_of_a_folder_or_one_file_for_all(photos, tmp_path):
    folder, discs = photos
    strokes = tmp_path / "strokes"
    strokes.mkdir()
    for name in discs:
        (folder / f"{name}-scribbles.png").rename(strokes / f"{name}.png")
    with pytest.raises(FileFormatError, match=r"a-scribbles\.png beside a\.png"):
        run(folder, tmp_path / "out")
    assert run(folder, tmp_path / "out", strokes).done == 3
    for name, disc in discs.items():
        assert (mask(tmp_path / "out" / f"{name}.png") == disc).mean() > 0.99
    (strokes / "a.tif").write_bytes(b"")
    with pytest.raises(FileFormatError, match="one file of strokes was expected"):
        run(folder, tmp_path / "out", strokes)
    summary = run(folder, tmp_path / "shared", strokes / "a.png")
    assert summary.done == 3
    assert {record["scribbles"] for record in lines(tmp_path / "shared")} == {str(strokes / "a.png")}


def test_colours_of_one_image_are_applied_to_all(photos, tmp_path):
    folder, discs = photos
    strokes = tmp_path / "strokes.png"
    (folder / "a-scribbles.png").rename(strokes)
    (folder / "b-scribbles.png").unlink()
    out = tmp_path / "out"
    assert run(folder, out, strokes, transfer=folder / "a.png").done == 3
    for name, disc in discs.items():
        assert (mask(out / f"{name}.png") == disc).mean() > 0.98
    assert run(folder, out, strokes, transfer=folder / "a.png").reused == 3
    assert run(folder, out, strokes, transfer=folder / "b.png").reused == 0  # another reference
    with pytest.raises(InvalidParameterError, match="transfer needs the file of the strokes"):
        run(folder, out, transfer=folder / "a.png")


@pytest.mark.parametrize("ending", [".tif", ".nii.gz", ".ome.zarr"])
def test_volumes_keep_their_spacing_and_place(tmp_path, ending):
    nibabel = pytest.importorskip("nibabel")
    pytest.importorskip("zarr")
    ball = sum((steps * (axis - 6)) ** 2 for steps, axis in zip((1, 1, 2), np.mgrid[:13, :13, :13], strict=True)) < 16
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[:3, 3] = 5
    strokes = np.zeros(ball.shape, np.uint8)
    strokes[5:8, 6, 6], strokes[0], strokes[:, :, 0], strokes[:, :, -1] = 2, 1, 1, 1
    (tmp_path / "scans").mkdir()
    nibabel.save(nibabel.Nifti1Image(ball.astype(np.float32), affine), tmp_path / "scans" / "a.nii.gz")
    nibabel.save(nibabel.Nifti1Image(strokes, affine), tmp_path / "scans" / "a-scribbles.nii.gz")
    for alpha in (1.0, 0.9):  # a folder, as .zarr is, replaces a folder
        assert run(tmp_path / "scans", tmp_path / "out", ending=ending, alpha=alpha).failures == {}
    assert run(tmp_path / "scans", tmp_path / "out", ending=ending, alpha=0.9).reused == 1
    file = open_image(tmp_path / "out" / f"a{ending}")
    assert file.spacing == pytest.approx((1, 1, 2))
    assert ((np.asarray(file.array) == file.array.max()) == ball).mean() > 0.98
    if ending == ".nii.gz":
        np.testing.assert_array_equal(file.affine, affine)


def test_large_images_have_small_thumbnails(tmp_path):
    labels = np.zeros((500, 1000), np.uint8)
    labels[200:300, 400:600], labels[:20] = 2, 1
    Image.fromarray(np.where(labels == 2, 255, 0).astype(np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(labels).save(tmp_path / "a-scribbles.png")
    run(tmp_path / "a.png", tmp_path / "out")
    (picture,) = (tmp_path / "out" / ".varconvex" / "thumbnails").iterdir()
    with Image.open(picture) as shown:
        assert shown.size == (240, 120)


def test_a_table_has_images_strokes_results_and_keywords(photos, tmp_path):
    folder, _ = photos
    table = folder / "table.csv"
    table.write_bytes(
        "\ufeffimage;scribbles;output;alpha;shape;spacing\n"
        "a.png;a-scribbles.png;one/first.png;0.5;;1,1\n"
        '"b.png";;;;convex;\n'
        ";;;;;\n".encode()
    )
    out = tmp_path / "out"
    assert run(table, out, alpha=7).done == 2
    one, two = sorted(lines(out), key=lambda record: record["image"])
    assert one["settings"] == {"alpha": 0.5, "spacing": [1.0, 1.0]}
    assert two["settings"] == {"alpha": 7, "shape": "convex"}
    assert two["result"]["certificate"]["convex"]
    assert one["name"] == "one/first.png"
    assert run(table, out, alpha=7).reused == 2


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ("alpha\n1\n", "must have the column image"),
        ("image,alhpa\na.png,1\n", "mean 'alpha'"),
        ("image,image\na.png,a.png\n", "has 'image'"),
        ("image,callback\na.png,1\n", "has 'callback'"),
        ("image,alpha\na.png,1,2\n", "line 2 .* must have 2 cells"),
        ("image,alpha\n,1\n", "line 2 .* must name an image"),
        ("image,alpha\na.png,many\n", "line 2 .* alpha must be NUMBER; got 'many'"),
        ('image,alpha\n"a.png,1\n', "a table in UTF-8 was expected; .* is not one"),
        ("image\n\xff\n", "UTF-8"),
    ],
)
def test_a_wrong_table_is_named(photos, tmp_path, text, match):
    (photos[0] / "table.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(FileFormatError, match=match):
        run(photos[0] / "table.csv", tmp_path / "out")


def test_a_tables_images_fail_one_by_one(photos, tmp_path):
    (photos[0] / "t.csv").write_text("image,alpha\na.png,-1\nb.png,nan\ngone.png,\nc.png,2\n")
    summary = run(photos[0] / "t.csv", tmp_path / "out")
    assert summary.done == 1
    assert {name: why.partition(":")[0] for name, why in summary.failures.items()} == {
        "a.png": "InvalidParameterError", "b.png": "InvalidParameterError", "gone.png": "FileNotFoundError",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("keywords", "error", "match"),
    [
        ({"alhpa": 1}, UnknownKeywordError, "mean 'alpha'"),
        ({"callback": print}, UnknownKeywordError, "callback"),
        ({"alpha": -1}, InvalidParameterError, "alpha"),
        ({"shape": "convexx"}, InvalidParameterError, "shape"),
        ({"random_state": np.random.default_rng(0)}, InvalidParameterError, "Pass a seed"),
        ({"jobs": 0}, InvalidParameterError, "jobs must be"),
        ({"ending": ".gif"}, FileFormatError, "must end in"),
    ],
)
def test_settings_that_are_wrong_for_all_are_an_error(photos, tmp_path, keywords, error, match):
    with pytest.raises(error, match=match):
        run(photos[0], tmp_path / "out", **keywords)


def test_a_second_run_into_the_folder_is_refused(photos, tmp_path):
    with Manifest(tmp_path / "out"), pytest.raises(FileFormatError, match=f"in use by process {os.getpid()} on"):
        run(photos[0], tmp_path / "out")
    assert run(photos[0], tmp_path / "out").done == 3  # the lock ends with its holder


def test_a_full_disk_stops_the_batch_by_name_and_nothing_is_torn(photos, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(os, "replace", full_on("b.png", os.replace))
    with pytest.raises(FileFormatError, match=r"b\.png cannot be written .*No space left"):
        run(photos[0], out)
    assert [record["name"] for record in lines(out)] == ["a.png"]
    assert not list((out / ".varconvex").rglob("*.png"))
    monkeypatch.undo()

    def full(path, *_, **__):  # where a worker writes
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise FileFormatError(f"{path} cannot be written: the disk is full.") from error

    monkeypatch.setattr("varconvex.batch.cut.write_mask", full)
    with pytest.raises(FileFormatError, match="the disk is full"):
        run(photos[0], out)
    assert [record["name"] for record in lines(out)] == ["a.png"]
    monkeypatch.undo()
    summary = run(photos[0], out)
    assert (summary.reused, summary.done) == (1, 2)


def full_on(name, replace):
    def failing(source, target):
        if Path(target).name == name:
            raise OSError(28, "No space left on device")
        return replace(source, target)

    return failing


def test_a_line_that_the_disk_has_no_room_for_is_taken_back(tmp_path):
    resource = pytest.importorskip("resource")
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Manifest(tmp_path) as manifest:
        manifest.add({"name": "a", "key": "", "status": "done"})
        before = manifest.path.read_bytes()
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, former[1]))
        try:
            with pytest.raises(FileFormatError, match=r"cannot be written .*make room and run again"):
                manifest.add({"name": "b", "key": "", "status": "done"})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, former)
        assert manifest.path.read_bytes() == before
        manifest.add({"name": "b", "key": "", "status": "done"})
    with Manifest(tmp_path) as manifest:
        assert list(manifest.records) == ["a", "b"]


def test_what_is_no_file_is_named_and_does_not_hang(photos, tmp_path):
    folder, _ = photos
    os.mkfifo(folder / "pipe.png")
    (folder / "gone.png").symlink_to("nowhere")
    (folder / "folder.png").mkdir()
    summary = run(folder, tmp_path / "out", folder / "a-scribbles.png")
    assert summary.done == 3
    assert sorted(summary.failures) == ["folder.png", "gone.png", "pipe.png"]
    assert "pipe, not a file" in summary.failures["pipe.png"]


def test_progress_is_a_line_now_and_then_in_a_log_and_a_bar_on_a_terminal(capsys, monkeypatch):
    def tell(reporter):
        with reporter:
            for k in range(5):
                left = 28 - 7 * k or None
                reporter(Progress(4, done=max(0, k - 1), failed=min(k, 1), seconds=7.0 * k, seconds_left=left))

    tell(Reporter(pause=1000))
    first, last = capsys.readouterr().err.splitlines()
    assert (first, last) == ("0 of 4 images after 0 s, 28 s left", "4 of 4 images after 28 s, 1 failed")
    with Reporter("result", pause=0.02) as reporter:
        reporter(Progress(2))
        time.sleep(0.2)  # nothing new, as while kernels are compiled
    assert capsys.readouterr().err.splitlines().count("0 of 2 results after 0 s") >= 3
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    tell(Reporter())
    assert re.search(r"100%\|█+\| 4/4, 1 failed", capsys.readouterr().err)
    assert [duration(s) for s in (3, 100, 4000, 20_000)] == ["3 s", "2 min", "67 min", "5.6 h"]


def test_a_folder_that_cannot_be_made_is_named(photos, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FileFormatError, match="can be written was expected"):
            run(photos[0], out)
