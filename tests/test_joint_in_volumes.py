"""Joint unification in volumes: bodies in noise, several objects, and what is kept."""

import numpy as np
import pytest

from benchmarks._solids import solid
from varconvex import segment
from varconvex.metrics import iou


@pytest.mark.parametrize("seed", [0, 50])
def test_bodies_in_noise_are_found_from_a_few_voxels(seed):
    """Noise of .25 of the contrast; the first sets of case 50 by its strokes are a fifth too large."""
    case = solid(seed)
    result = segment(case.image, case.scribbles, spacing=case.spacing, shape="convex")
    assert result.certificate
    assert iou(result.mask, case.truth) > 0.97
    assert result.mask[case.scribbles == 2].all()
    assert not result.mask[case.scribbles == 1].any()
    falls = np.diff(result.objective[:-1])
    assert (falls <= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("shape", [None, "convex"])
def test_one_sided_strokes_do_not_take_four_times_the_body(shape):
    case = solid(21)
    result = segment(case.image, case.scribbles, spacing=case.spacing, shape=shape)
    assert iou(result.mask, case.truth) > 0.97


def test_a_volume_is_not_divided_by_the_distance_from_its_strokes():
    case = solid(40)  # strokes in a corner
    assert iou(segment(case.image, case.scribbles, spacing=case.spacing).mask, case.truth) > 0.95


@pytest.mark.slow
def test_three_objects_take_seconds_and_never_overlap(rng):
    i = np.stack(np.meshgrid(4 * np.arange(12), np.arange(60), np.arange(60), indexing="ij"), axis=-1)
    centres = [(20, 16, 16), (28, 17, 42), (24, 42, 30)]
    balls = [((i - centre) ** 2).sum(axis=-1) < 12**2 for centre in centres]
    volume = rng.normal(scale=0.15, size=balls[0].shape) + sum((k + 1) * ball for k, ball in enumerate(balls))
    strokes = np.zeros(volume.shape, int)
    strokes[1, 1, 2:58] = strokes[10, 58, 2:58] = strokes[6, 1:58, 1] = 1
    for k, (z, y, x) in enumerate(centres):
        strokes[z // 4, y - 2 : y + 3, x] = k + 2
    shapes = {2: "convex", 3: "convex", 4: "convex"}
    result = segment(volume, strokes, shape=shapes, spacing=(4, 1, 1))
    for k, ball in enumerate(balls):
        assert iou(result.labels == k + 2, ball) > 0.95


@pytest.mark.slow
def test_a_label_without_a_shape_shares_the_rest(rng):
    i = np.indices((20, 24, 24))
    ball = ((i - 8) ** 2).sum(axis=0) < 36
    volume = rng.normal(scale=0.1, size=ball.shape) + ball + 2 * (i[2] > 18)
    strokes = np.zeros(volume.shape, int)
    strokes[8, 8, 6:10], strokes[10, 2:20, 21], strokes[17, 2:20, 10], strokes[2, 20, 2:15] = 2, 3, 1, 1
    result = segment(volume, strokes, shape={2: "convex"})
    assert iou(result.labels == 2, ball) > 0.95
    assert iou(result.labels == 3, i[2] > 18) > 0.95
