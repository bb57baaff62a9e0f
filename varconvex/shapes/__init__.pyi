from .base import FittedShape as FittedShape, OutlineShape as OutlineShape, Shape as Shape
from .convex import ConvexShape as ConvexShape, FittedConvex as FittedConvex
from .hull import HullShape as HullShape
from .icnn import ICNN as ICNN
from .polygon import FittedPolygon as FittedPolygon, PolygonShape as PolygonShape
from .soft import ConvexDistance as ConvexDistance
