from .base import FittedShape as FittedShape, OutlineShape as OutlineShape, Shape as Shape
from .connected import ConnectedShape as ConnectedShape, FittedConnected as FittedConnected
from .convex import ConvexShape as ConvexShape, FittedConvex as FittedConvex
from .ellipse import EllipseShape as EllipseShape, FittedEllipse as FittedEllipse
from .frames import FittedFrames as FittedFrames, FramesShape as FramesShape
from .hull import HullShape as HullShape
from .icnn import ICNN as ICNN
from .k_convex import FittedKConvex as FittedKConvex, KConvexShape as KConvexShape
from .periodic import FittedPeriodic as FittedPeriodic, PeriodicShape as PeriodicShape
from .polygon import FittedPolygon as FittedPolygon, PolygonShape as PolygonShape
from .rectangle import FittedRectangle as FittedRectangle, RectangleShape as RectangleShape
from .rotational import FittedRotational as FittedRotational, RotationalShape as RotationalShape
from .sized import SizedShape as SizedShape
from .soft import ConvexDistance as ConvexDistance
from .star import FittedStar as FittedStar, StarShape as StarShape
from .symmetric import FittedSymmetric as FittedSymmetric, SymmetricShape as SymmetricShape
