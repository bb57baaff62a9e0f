"""Objects that have a shape, and no other, are described as such."""

import numpy as np
import pytest

from benchmarks._objects import drawn
from varconvex import project
from varconvex.geometry.properties import nearly, shares


@pytest.mark.parametrize(
    ("name", "has", "lacks"),
    [
        ("square", {"rectangle", "convex", "star"}, {"ellipse"}),
        ("ellipse", {"ellipse", "convex"}, {"rectangle"}),
        ("flower", {"star", "connected"}, {"convex", "ellipse", "convex:2"}),
        ("L", {"convex:2", "connected"}, {"convex", "symmetric"}),
        ("two discs", {"convex:2", "symmetric"}, {"convex"}),
    ],
)
def test_drawn_objects_nearly_have_their_shapes(name, has, lacks):
    found = shares(drawn(name, 160, 1))
    assert has <= set(nearly(found))
    assert not lacks & set(nearly(found))
    assert all(0 <= share <= 1 for share in found.values())


def test_a_volume_has_fewer_and_an_empty_object_none():
    ball = np.sqrt((np.indices((16, 18, 20)).T - 8.5) ** 2).max(axis=-1).T < 6
    assert set(shares(ball)) == {"convex", "star", "connected"}
    assert project(np.zeros((5, 5), bool)).describe() == [{"label": 2, "shares": {}, "nearly": []}]
    large = np.zeros((900, 700), bool)
    large[100:800, 50:60] = True
    assert "convex" in nearly(shares(large))
    assert shares(np.ones((1, 1), bool))["convex"] == 1
