"""Convexity as others have it, to compare with: a fit may end in a set that is not convex.

Instances are shapes as those of the package: ``segment(image, scribbles, shape=BallShape())``.
"""

from .ball import BallShape
from .geodesics import GeodesicShape
from .one_zero_one import OneZeroOneShape
from .part_moves import PartMovesShape
from .signed_distance import SignedDistanceShape
from .threshold_dynamics import ThresholdDynamicsShape

__all__ = [
    "PENALTIES",
    "RIVALS",
    "BallShape",
    "GeodesicShape",
    "OneZeroOneShape",
    "PartMovesShape",
    "SignedDistanceShape",
    "ThresholdDynamicsShape",
]

PENALTIES = {"ball": BallShape, "one_zero_one": OneZeroOneShape}
"""Penalties in the package's own solver, by the names of the benchmarks."""

RIVALS = PENALTIES | {
    "threshold_dynamics": ThresholdDynamicsShape,
    "signed_distance": SignedDistanceShape,
    "part_moves": PartMovesShape,
    "geodesics": GeodesicShape,
}
"""All of them."""
