from . import (
    batch as batch,
    datasets as datasets,
    energies as energies,
    errors as errors,
    extractors as extractors,
    geometry as geometry,
    io as io,
    likelihoods as likelihoods,
    metrics as metrics,
    options as options,
    plots as plots,
    predictors as predictors,
    shapes as shapes,
    solvers as solvers,
)
from ._version import __version__ as __version__
from .api import project as project, segment as segment
from .backends import get_backend as get_backend
from .convexification import convexify as convexify
from .edges import contrast_weight as contrast_weight
from .energies import (
    ROF as ROF,
    TVL1 as TVL1,
    ChanVese as ChanVese,
    GeodesicContours as GeodesicContours,
    MumfordShah as MumfordShah,
    Potts as Potts,
    TwoPhase as TwoPhase,
)
from .errors import (
    AxesWarning as AxesWarning,
    BackendUnavailableError as BackendUnavailableError,
    ConvergenceWarning as ConvergenceWarning,
    DataTermWarning as DataTermWarning,
    DeviceMemoryWarning as DeviceMemoryWarning,
    FileFormatError as FileFormatError,
    InvalidImageError as InvalidImageError,
    InvalidParameterError as InvalidParameterError,
    InvalidScribblesError as InvalidScribblesError,
    MissingExtraError as MissingExtraError,
    NotEnoughMemoryError as NotEnoughMemoryError,
    NotEnoughSpaceError as NotEnoughSpaceError,
    ScribbleConflictError as ScribbleConflictError,
    ScribbleWarning as ScribbleWarning,
    ShapeWarning as ShapeWarning,
    UnknownKeywordError as UnknownKeywordError,
    UnsupportedTypeError as UnsupportedTypeError,
    VarconvexError as VarconvexError,
    VarconvexWarning as VarconvexWarning,
)
from .estimator import ScribbleClassifier as ScribbleClassifier, pixel_table as pixel_table
from .geometry import certify_convexity as certify_convexity
from .geometry.promises import certify as certify
from .large.result import LargeSegmentation as LargeSegmentation
from .likelihoods import (
    GaussianMixtureLikelihood as GaussianMixtureLikelihood,
    HistogramLikelihood as HistogramLikelihood,
    NieuwenhuisCremersLikelihood as NieuwenhuisCremersLikelihood,
)
from .optimality import OptimalityCertificate as OptimalityCertificate, certify_optimality as certify_optimality
from .predictors import (
    ClassifierPredictor as ClassifierPredictor,
    CnnPredictor as CnnPredictor,
    EnergyPredictor as EnergyPredictor,
    FcnPredictor as FcnPredictor,
    GivenPredictor as GivenPredictor,
)
from .refinement import refine as refine
from .regions import (
    segment_chan_vese as segment_chan_vese,
    segment_geodesic_contours as segment_geodesic_contours,
    segment_potts as segment_potts,
)
from .restoration import (
    denoise_mumford_shah as denoise_mumford_shah,
    denoise_rof as denoise_rof,
    denoise_tv_l1 as denoise_tv_l1,
)
from .result import Segmentation as Segmentation
from .session import Session as Session
from .shapes import (
    ICNN as ICNN,
    ConnectedShape as ConnectedShape,
    ConvexShape as ConvexShape,
    EllipseShape as EllipseShape,
    FramesShape as FramesShape,
    HullShape as HullShape,
    KConvexShape as KConvexShape,
    PeriodicShape as PeriodicShape,
    PolygonShape as PolygonShape,
    RectangleShape as RectangleShape,
    RotationalShape as RotationalShape,
    SizedShape as SizedShape,
    StarShape as StarShape,
    SymmetricShape as SymmetricShape,
)
from .solvers import (
    Progress as Progress,
    Solution as Solution,
    Stationary as Stationary,
    pdhg as pdhg,
    pdhg_batch as pdhg_batch,
    stationary as stationary,
    warm_up as warm_up,
)
