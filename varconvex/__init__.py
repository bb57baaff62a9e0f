"""Variational segmentation from a few scribbles, with a certified gap and a provably convex object.

>>> from varconvex import segment
>>> result = segment(image, scribbles, shape="convex")  # doctest: +SKIP

The names below are loaded when first used: importing the package compiles nothing and needs no GPU.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import project, segment
    from .backends import get_backend
    from .energies.chan_vese import ChanVese
    from .energies.geodesic_contours import GeodesicContours
    from .energies.mumford_shah import MumfordShah
    from .energies.potts import Potts
    from .energies.rof import ROF
    from .energies.tv_l1 import TVL1
    from .energies.two_phase import TwoPhase
    from .geometry.certify import certify_convexity
    from .regions import segment_chan_vese, segment_geodesic_contours, segment_potts
    from .restoration import denoise_mumford_shah, denoise_rof, denoise_tv_l1
    from .result import Segmentation
    from .shapes.convex import ConvexShape
    from .shapes.icnn import ICNN
    from .solvers.pdhg import pdhg
    from .solvers.pdhg_batch import pdhg_batch
    from .solvers.stationary import stationary
    from .solvers.warm_up import warm_up

_HOME = {
    "ICNN": "shapes.icnn",
    "ROF": "energies.rof",
    "TVL1": "energies.tv_l1",
    "ChanVese": "energies.chan_vese",
    "ConvexShape": "shapes.convex",
    "GeodesicContours": "energies.geodesic_contours",
    "MumfordShah": "energies.mumford_shah",
    "Potts": "energies.potts",
    "Segmentation": "result",
    "TwoPhase": "energies.two_phase",
    "certify_convexity": "geometry.certify",
    "denoise_mumford_shah": "restoration",
    "denoise_rof": "restoration",
    "denoise_tv_l1": "restoration",
    "get_backend": "backends",
    "pdhg": "solvers.pdhg",
    "pdhg_batch": "solvers.pdhg_batch",
    "project": "api",
    "segment": "api",
    "segment_chan_vese": "regions",
    "segment_geodesic_contours": "regions",
    "segment_potts": "regions",
    "stationary": "solvers.stationary",
    "warm_up": "solvers.warm_up",
}

__all__ = [  # noqa: RUF022 (the order in which they are met)
    "segment",
    "project",
    "segment_chan_vese",
    "segment_geodesic_contours",
    "segment_potts",
    "denoise_rof",
    "denoise_tv_l1",
    "denoise_mumford_shah",
    "Segmentation",
    "TwoPhase",
    "Potts",
    "ROF",
    "TVL1",
    "ChanVese",
    "GeodesicContours",
    "MumfordShah",
    "pdhg",
    "pdhg_batch",
    "stationary",
    "ConvexShape",
    "ICNN",
    "certify_convexity",
    "get_backend",
    "warm_up",
]

try:
    __version__ = version("varconvex")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'varconvex' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
