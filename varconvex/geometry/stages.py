"""What of a convex fit differs between the plane and a volume: start, half-spaces, repair and refinement."""

from collections.abc import Callable
from typing import NamedTuple

from .refine_2d import refine
from .repair_2d import repair
from .repair_3d import repair_solid
from .search_2d import convex_start, half_planes
from .search_3d import half_spaces_around, refine_solid, solid_start


class Stages(NamedTuple):
    """Functions of one dimension, with the same arguments in both."""

    start: Callable
    half_spaces: Callable
    repair: Callable
    refine: Callable


_STAGES = {
    2: Stages(convex_start, half_planes, repair, refine),
    3: Stages(solid_start, half_spaces_around, repair_solid, refine_solid),
}


def stages(ndim: int) -> Stages:
    """Those of the plane (2) or of a volume (3)."""
    return _STAGES[ndim]
