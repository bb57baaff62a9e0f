"""Convexity as a penalty, to compare with: a fit may end in a set that is not convex.

Instances are shapes as those of the package: ``segment(image, scribbles, shape=BallShape())``.
"""

from .ball import BallShape
from .one_zero_one import OneZeroOneShape

__all__ = ["PENALTIES", "BallShape", "OneZeroOneShape"]

PENALTIES = {"ball": BallShape, "one_zero_one": OneZeroOneShape}
"""By the names of the benchmarks."""
