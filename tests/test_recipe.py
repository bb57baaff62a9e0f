"""The paper's own recipe for Table 1: its loss and schedule, its guarantee, and its rows in the table."""

import numpy as np
import pytest

from varconvex.cli import main
from varconvex.datasets.folders import list_samples
from varconvex.geometry.certify import certify_convexity
from varconvex.inputs import prepare
from varconvex.metrics import iou
from varconvex.reproduce import layout, table1
from varconvex.reproduce.recipe import ALONE, Training, input_channels


def begun(image, scribbles, network="fcn", unify="joint", inputs="rgb+xy", dtype=np.float64, **options):
    training = Training(prepare(image, scribbles), inputs, None, network, unify, 3, dtype=dtype, **options)
    training.run(4)  # some weights Wz are at zero now
    return training


@pytest.mark.parametrize("unify", ["sequential", "joint"])
@pytest.mark.parametrize("network", ["fcn", "cnn"])
def test_the_gradient_is_that_of_central_differences(two_blobs, rng, network, unify):
    image, scribbles, _ = two_blobs
    training = begun(image, scribbles, network, unify)
    training.epoch = ALONE
    some, pixels = training.batch()
    batch = some[::29], pixels[::29]
    theta = training._parameters()
    _, gradient = training.loss(*batch)
    weights = np.concatenate([np.zeros(len(training.predictor.pack()), bool), training.convex.nonnegative])
    for k in rng.choice(np.flatnonzero(~weights | (theta > 1e-3)), 20):
        values = []
        for step in (1e-6, -1e-6):
            training._set(theta + step * (np.arange(len(theta)) == k))
            values.append(training.loss(*batch)[0])
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[k], rel=1e-4, abs=1e-7)


def test_in_sequential_training_the_convex_network_has_no_say_in_the_predictor(two_blobs):
    image, scribbles, _ = two_blobs
    training = begun(image, scribbles, unify="sequential")
    training.epoch = ALONE
    _, gradient = training.loss(*training.batch())
    training.epoch = 0
    _, alone = training.loss(*training.batch())
    count = len(training.predictor.pack())
    np.testing.assert_allclose(gradient[:count], 0.1 * alone[:count], rtol=1e-9, atol=1e-15)
    assert abs(gradient[count:]).max() > 0


def test_joint_training_goes_slower_once_it_is_coupled(two_blobs):
    image, scribbles, _ = two_blobs

    def length(unify):
        training = begun(image, scribbles, unify=unify)
        training.epoch = ALONE
        before = training._parameters()
        training.run(ALONE + 1)
        return abs(training._parameters() - before).max()

    assert length("joint") < 0.1 * length("sequential")


def test_balanced_labels_weigh_alike(two_blobs):
    image, scribbles, _ = two_blobs
    training = begun(image, scribbles, balanced=True)
    means = []
    for label in (0, 1):
        n, _ = training.predictor.forward(training._windows(training.strokes[mine := training.labels == label]))
        g, _ = training.convex.forward(training.places[training.strokes[mine]])
        sign = 1 if label else -1
        means.append(np.logaddexp(0, -sign * n).mean() + np.logaddexp(0, sign * g).mean())
    assert training.labels.mean() != 0.5
    assert training.loss(np.arange(len(training.strokes)), np.empty(0, int))[0] == pytest.approx(np.mean(means))


def test_it_finds_a_convex_object_and_the_same_one_again(two_blobs):
    image, scribbles, disc = two_blobs

    def trained():
        training = Training(prepare(image, scribbles), "rgb+xy", None, "fcn", "joint", 42)
        training.run(300)
        return training.masks()

    predicted, mask = trained()
    assert certify_convexity(mask)
    assert iou(mask, disc) > 0.6
    assert iou(predicted, disc) > 0.6
    again = trained()
    assert (again[0] == predicted).all()
    assert (again[1] == mask).all()


def test_channels_are_in_the_unit_interval(two_blobs, rng):
    image, scribbles, _ = two_blobs
    scene = prepare(image, scribbles)
    own = rng.normal(size=(*scribbles.shape, 5)) * 7 + 3
    for features in (None, own, own[..., :1]):
        channels = input_channels(scene, "rgb+xy+features", features)
        assert channels.shape[-1] == scene.image.shape[-1] + 2 + min(2, 5 if features is None else features.shape[-1])
        assert channels.min() >= 0
        assert channels.max() <= 1
    assert (channels[0, 0, -3:-1] == 0).all()
    assert (channels[-1, -1, -3:-1] == 1).all()


@pytest.mark.usefixtures("brief_networks")
def test_its_rows_stand_beside_ours_and_the_papers(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(table1, "EPOCHS", 20)
    out = tmp_path / "out"
    arguments = ["reproduce", "table1", "--data", str(data), "--limit", "1", "--seeds", "3", "--out", str(out)]
    assert (
        main(
            [
                *arguments,
                "--pictures",
                "0",
                "--networks",
                "fcn",
                "--inputs",
                "rgb+xy",
                "--recipe",
                "paper",
                "--balanced",
            ]
        )
        == 0
    )
    text = capsys.readouterr().out
    assert text.count("\n recipe") == 2
    assert "weigh alike" in text
    assert "by the recipe, joint-convex beats" in text
    found, _ = table1.table1(
        list_samples(data)[:1], out, seeds=(3,), inputs=["rgb+xy"], networks=["fcn"], recipe="paper", balanced=True
    )
    assert found["reused"] == 2 * 2 + 2
    cells = {(c["recipe"], c["unify"]): c for c in found["cells"] if c["network"] == "fcn"}
    assert len(cells) == 4
    assert f"{cells['paper', 'joint']['convex']:.3f}" in text
    assert all(cell["uncertified"] == 0 for cell in cells.values())
    assert layout.table(found) in text
