"""What canvases say in words, of results whose certificates and descriptions are given."""

from types import SimpleNamespace

from varconvex.geometry.promises import ShapeCertificate
from varconvex.widget.labels import first_labels
from varconvex.widget.words import certified, nearly_shapes

LABELS = first_labels({2: "<b>tile</b>", 3: "coin"})


def result(nearly, **promised):
    return SimpleNamespace(
        label_ids=(1, *nearly),
        certificates={int(k[1:]): ShapeCertificate(shape, True, 9) for k, shape in promised.items()},
        describe=lambda: [{"label": k, "shares": {}, "nearly": names} for k, names in nearly.items()],
    )


def test_one_object_is_told_without_its_name_and_three_shapes_at_most():
    alone = result({2: ["ellipse", "convex", "symmetric", "star", "connected"]})
    assert nearly_shapes(alone, LABELS) == "nearly ellipse, convex, symmetric"
    assert certified(alone, LABELS) == []


def test_what_is_promised_is_not_told_as_nearly_so():
    convex = result({2: ["convex", "symmetric"]}, k2="convex")
    assert certified(convex, LABELS) == ["certified convex"]
    assert nearly_shapes(convex, LABELS) == "nearly symmetric"
    assert nearly_shapes(result({2: ["convex"]}, k2="convex"), LABELS) == ""


def test_objects_are_told_by_their_names_or_numbers():
    three = result({2: ["rectangle"], 3: [], 7: ["star"]}, k2="convex", k3="star")
    assert nearly_shapes(three, LABELS) == "nearly <b>tile</b> rectangle; 7 star"
    assert certified(three, LABELS) == ["<b>tile</b> certified convex", "coin certified star"]
    assert nearly_shapes(result({2: []}), LABELS) == ""
