from .base import Energy as Energy
from .chan_vese import ChanVese as ChanVese
from .geodesic_contours import GeodesicContours as GeodesicContours
from .mumford_shah import MumfordShah as MumfordShah
from .potts import Potts as Potts
from .rof import ROF as ROF
from .tv_l1 import TVL1 as TVL1
from .two_phase import TwoPhase as TwoPhase
