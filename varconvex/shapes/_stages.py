"""What of a convex fit differs between the plane and a volume: start, half-spaces, repair and refinement."""

from collections.abc import Callable
from typing import NamedTuple

from ._chains import refine
from ._repair import repair
from ._solid_repair import repair_solid
from ._solid_start import half_spaces_around, refine_solid, solid_start
from ._start import convex_start, half_planes


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
