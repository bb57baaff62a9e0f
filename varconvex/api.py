"""`segment` and `project`, one stage a line: image and scribbles, costs, energy, solver, shape, certificate."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from . import checks
from .assembly import assemble
from .backends import ArrayBackend, get_backend
from .coordinates import labelled
from .energies.potts import Potts
from .energies.two_phase import TwoPhase
from .errors import InvalidParameterError
from .geometry.components import keep_scribbled
from .inputs import Scene, prepare, probability_map
from .io.lazy import is_store, open_on_disk
from .keywords import known_keywords
from .large.entry import is_on_disk, on_disk
from .likelihoods.base import Likelihood
from .logs import LOGGER, compilation_logged
from .margins import find_margins
from .options import TV, Components, EdgeWeight, NanPolicy, Relaxation, Unify
from .predictors.base import Prediction, Predictor
from .proposals import Unified
from .result import Segmentation
from .settings import Settings, part
from .shapes.base import Shape
from .solvers.pdhg import Progress, pdhg
from .solvers.solution import StoppingRules
from .threads import until
from .unify import convex_solids, joint, sequential


@known_keywords
def segment(
    image: Any,
    scribbles: Any,
    alpha: float | None = None,
    *,
    shape: str | Shape | Mapping[int, str | Shape | None] | None = None,
    unify: Unify | None = None,
    predictor: str | Predictor = "energy",
    likelihood: str | Likelihood = "nieuwenhuis_cremers",
    features: Any = None,
    edge_weight: EdgeWeight | np.ndarray | None = "contrast",
    tv: TV = "isotropic",
    relaxation: Relaxation = "zach",
    components: Components = "scribbled",
    channel_axis: int | None = -1,
    rgba: bool | None = None,
    mask: Any = None,
    spacing: Any = None,
    nan_policy: NanPolicy = "raise",
    strict: bool = False,
    backend: str | ArrayBackend | None = None,
    max_iter: int = 10_000,
    tol: float = 1e-3,
    time_limit: float | None = None,
    callback: Callable[[Progress], object] | None = None,
    certainty: bool = False,
    random_state: int | np.random.Generator | None = None,
    memory: str | int | None = None,
    scratch: Any = None,
) -> Segmentation:
    """Segment an image from a few scribbles.

    Minimises a likelihood plus total variation, <cost, u> + alpha ||g grad u||_1, to a certified gap; with
    ``shape="convex"`` the convex set is found together with it (joint unification), or is the minimiser's projection
    (``unify="sequential"``).

    Parameters
    ----------
    image : (*spatial) or (*spatial, C) array of bools, integers or floats
        2-D or 3-D, grey or with channels. Three channels are taken as sRGB. Any range: it is scaled by its own
        extremes. Also a tensor of PyTorch, or an xarray: its coordinates are the spacing, if they are evenly spaced,
        and an axis named like channels (c, channel, band) has them. A path, or an array of Zarr or Dask, is read by
        rows and need not fit into memory: images with one object, convex or without shape, no mask and no time limit.
    scribbles : (*spatial) int array, pair of bool arrays, or dict
        A label image (0 unlabelled, 1 background, 2.. objects, -1 outside), whose shape says which axes of the image
        are spatial; or masks (object, background); or polylines {"object": [(row, column), ...], "background": ...},
        where a value may also be a list of lines, or "border" for the image's border, and a key a label.
    alpha : float, optional
        Weight of the total variation, in nats per pixel of boundary. Bigger is smoother; 0 leaves the likelihood alone.
        By default a quarter of the image's side N^(1/d), N pixels in d dimensions, so that the same picture at another
        resolution gives the same object.
    shape : {"convex", "star", "convex:2", ...}, Shape, mapping of label to one of them or None, or None
        Shape of the object, which then contains no pixels outside. With more than one object, a mapping has the shape
        of each, ``{2: "convex", 3: None}``; labels that it leaves out have none, and the objects never overlap.
    unify : {"sequential", "joint"} or None
        How energy and shape are combined: the parts of the solved u that hold a scribble (all of it for ``alpha=0``)
        are projected once (paper, eq. 5); or labels, shape and appearance models are optimised in turns, each step
        accepted if an objective falls (`Segmentation.objective`). "joint" also learns from pixels that no stroke
        touches. With a convex shape the outline is minimised directly, with two fifths of `alpha` as boundary cost,
        less along edges; labels without a shape keep only parts that hold a scribble. In volumes convex sets have
        no boundary cost. None: "joint" if an object has a shape; in volumes a convex one, beside predictor="energy".
    predictor : {"energy", "fcn", "cnn"}, Predictor or a classifier of scikit-learn
        Gives the probability of the object at each pixel: the energy of likelihood and total variation; or a network
        trained on the scribbles, pointwise or with 3x3 windows, whose log-odds replace the likelihood in that energy
        (with ``alpha=0`` they are not smoothed). `FcnPredictor` and `CnnPredictor` have parameters for the network's
        input and training, `GivenPredictor` takes a map from another program, `ClassifierPredictor` any classifier.
    likelihood : {"nieuwenhuis_cremers", "gaussian_mixture", "histogram"} or Likelihood
        How the scribbles' appearance becomes a cost per pixel.
    features : array, callable, "timm:NAME", path of an ONNX file, torch.nn.Module, Extractor or Features, optional
        What a model says of each pixel, see `varconvex.extractors.Features`, beside its colour: in the default
        likelihood, but for joint unification (a DataTermWarning), and in networks and classifiers. Where strokes that
        are held back are predicted no better with them, they are left out, and the log says so.
    edge_weight : "contrast", None, or (*spatial) array
        Factor g(x) on the boundary cost: low at the image's edges, 1 everywhere, or as given (>= 0).
    tv : {"isotropic", "anisotropic", "octagonal"}
        Boundary length as Euclid measures it; along the grid (exactly binary, but blocky); or along the grid and its
        diagonals (images only: exactly binary, 1.2 to 1.7 times the time).
    relaxation : {"zach", "ccp"}
        How more than two labels are made convex: fast, or tighter where three or more meet (see `Potts`).
    components : {"scribbled", "all"}
        Whether parts of an object that hold none of its scribbles become background, or are kept. With "scribbled", a
        single object without a shape that is not convex, in an image with three convex parts like it or more, is taken
        to hold neighbours: pixels beyond .15 radii from the convex set of least cost are then background.
    channel_axis : int or None
        Where the channels are, if the image has one axis more than the scribbles; None if it must not.
    rgba : bool, optional
        Meaning of a fourth channel: True leaves it out as transparency, False takes it as data.
    mask : (*spatial) bool array, optional
        Where to segment; elsewhere the labels are -1.
    spacing : float or tuple of float, optional
        Distance between neighbouring pixels along each spatial axis; only ratios matter.
    nan_policy : {"raise", "mask"}
        NaN and infinite pixels are refused, or left out of the data term.
    strict : bool
        Refuse strokes of different labels that cross; otherwise the later one wins, with a warning.
    backend : {"numba", "numpy", "cupy"} or None
        Library that computes; None is Numba for NumPy arrays.
    max_iter : int
        Most iterations of the solver on the full grid.
    tol : float
        Relative gap to stop at. Smaller is closer to the optimum.
    time_limit : float, optional
        Seconds after which likelihood, solver and joint unification stop where they are; the best answer so far is
        returned, with a warning where the solver was cut short. Costs that are not done are those of a coarse grid.
    callback : callable, optional
        Called with a `Progress` at each gap evaluation of the solver on the full grid, and with a `JointProgress` at
        each step of joint unification; returning True stops everything.
    certainty : bool
        Also find how certain each label is, by solving one more problem for each object: `Segmentation.certainty`,
        `area_interval` and `next_stroke`. For predictors with an energy.
    random_state : int or numpy.random.Generator, optional
        Seed of everything random: equal seeds give equal masks.
    memory : str or int, optional
        Of images on disk: most memory to use, in bytes or as in "4G". None is half of what there is.
    scratch : path, optional
        Of images on disk: folder for 44 bytes a pixel of files and the labels, where the same call goes on after it
        was interrupted. None is a temporary one, deleted with the result.

    Returns
    -------
    Segmentation
        A `LargeSegmentation` of images on disk, whose arrays lie on disk, too.

    Raises
    ------
    InvalidImageError, InvalidScribblesError, InvalidParameterError, UnsupportedTypeError, UnknownKeywordError
        If something passed is not what it has to be.
    ScribbleConflictError
        If no convex object can hold the scribbles, or no line parts those of two; its `pixels` say where.
    NotEnoughMemoryError, NotEnoughSpaceError
        If memory or disk cannot hold what is needed.
    BackendUnavailableError
        If the backend cannot run here.

    Warns
    -----
    ConvergenceWarning, DataTermWarning, ScribbleWarning
    ShapeWarning
        If joint unification would find an object far from convex without its convex shape.

    References
    ----------
    Nieuwenhuis, Cremers, IEEE TPAMI 35, 2013, doi:10.1109/TPAMI.2012.183

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import segment
    >>> image = (np.hypot(*np.mgrid[-30:31, -30:31]) < 15).astype(float)
    >>> result = segment(image, {"object": [(28, 28), (32, 32)], "background": [(2, 2), (2, 58)]})
    >>> int(result.mask.sum()) == int(image.sum())
    True
    """
    begin = time.perf_counter()
    image, channel_axis, spacing = labelled(image, channel_axis, spacing)
    if is_store(image):
        image = open_on_disk(image)
        channel_axis, spacing = image.channel_axis, image.spacing if spacing is None else spacing
    settings = Settings(
        get_backend(backend, image), alpha, shape, unify, predictor, likelihood, edge_weight, tv, relaxation,
        components, max_iter, tol, time_limit, callback, certainty, random_state, features,
    )  # fmt: skip
    if is_on_disk(image, memory, scratch):
        with compilation_logged():
            return on_disk(
                image, scribbles, settings, channel_axis=channel_axis, rgba=rgba, mask=mask, spacing=spacing,
                nan_policy=nan_policy, strict=strict, memory=memory, scratch=scratch,
                in_memory=segment,
            )  # fmt: skip
    scene = prepare(
        image, scribbles, channel_axis=channel_axis, spacing=spacing, mask=mask, nan_policy=nan_policy, rgba=rgba,
        strict=strict,
    )  # fmt: skip
    pixels = "x".join(map(str, scene.seeds.shape))
    LOGGER.info("segmenting %s pixels, labels %s", pixels, ", ".join(map(str, scene.labels)))
    with compilation_logged():
        result = solve(scene, settings, {"prepare": time.perf_counter() - begin})
    LOGGER.info("segmented %s pixels in %.2f s: %r", pixels, time.perf_counter() - begin, result)
    return result


def solve(scene: Scene, settings: Settings, seconds: dict[str, float]) -> Segmentation:
    """The stages of `segment` after the checks; `seconds` are those of the stages before, and count for the limit."""
    limit = math.inf if settings.time_limit is None else settings.time_limit
    with until(time.perf_counter() - sum(seconds.values()) + limit):
        return _solve(scene, settings, seconds)


def _solve(scene: Scene, settings: Settings, seconds: dict[str, float]) -> Segmentation:
    begin = time.perf_counter()
    predictor, shapes = settings.predictor_for(scene), settings.shapes_for(scene.labels)
    if settings.features is not None:
        scene = settings.scene_for(scene)
        seconds = seconds | {"features": time.perf_counter() - begin}
    rules = StoppingRules.checked(settings.max_iter, settings.tol, settings.time_limit, settings.callback)
    rng = settings.random_state
    direct = scene.seeds.ndim == 2 or convex_solids(predictor, shapes, scene)
    if settings.unify == "joint" or (settings.unify is None and shapes and direct):
        limit, callback = settings.time_limit, settings.callback
        found = joint(predictor, shapes, scene, time_limit=limit, callback=callback, random_state=rng)
    else:
        found = sequential(predictor, shapes, scene, random_state=rng)
    if settings.components == "scribbled":  # an object with a shape is in one piece
        found = replace(found, index=keep_scribbled(found.index, scene.seeds, besides=shapes))
    margins = {}
    if settings.certainty and not found.stopped:
        begin, energy = time.perf_counter(), found.prediction.energy
        if not isinstance(energy, TwoPhase | Potts):
            raise InvalidParameterError(
                "certainty needs a predictor with an energy of labels; got one that has none. Give it an energy, or "
                "leave certainty out."
            )
        margins = find_margins(energy, scene.seeds < 0, settings.backend, rules)
        seconds = seconds | {"certainty": time.perf_counter() - begin}
    return assemble(scene, found, settings.backend, seconds, margins)


@known_keywords
def project(
    target: Any,
    shape: str | Shape = "convex",
    *,
    inside: Any = None,
    outside: Any = None,
    spacing: Any = None,
    backend: str | ArrayBackend | None = None,
    random_state: int | np.random.Generator | None = None,
) -> Segmentation:
    """Project a mask or a map of probabilities from any source onto the sets of a shape.

    Finds the set C nearest to the target, min |target - 1_C|^2 (paper, eq. 4), with C of the shape.

    Parameters
    ----------
    target : (H, W) or (D, H, W) array
        A mask (bool, or integers 0 and one other value), or probabilities of the object in [0, 1].
    shape : {"convex", "convex:2", "star", "connected", "symmetric", "rotational:5", "ellipse", "frames", ...} or Shape
        Shape of the object; parts of `varconvex.shapes` have parameters, as ``StarShape(centre=(120, 80))``.
    inside, outside : bool array of the target's shape, optional
        Pixels that must, and that must not, belong to the object.
    spacing : float or tuple of float, optional
        Distance between neighbouring pixels along each axis.
    backend : {"numba", "numpy", "cupy"} or None
        Library that computes; None is that of `target`, Numba on the CPU. The answer is in the host's memory.
    random_state : int or numpy.random.Generator, optional
        Seed of everything random: equal seeds give equal masks.

    Returns
    -------
    Segmentation
        With labels 1 (background) and 2 (object); its energy is <1 - 2 target, mask>, its dual bound that of the
        nearest set of any shape, so that `integrality_gap` is what the shape costs.

    Raises
    ------
    InvalidImageError, UnsupportedTypeError, InvalidParameterError, UnknownKeywordError
        If something passed is not what it has to be.
    ScribbleConflictError
        If no set of the shape holds `inside` without `outside`; its `pixels` say where.
    BackendUnavailableError
        If the backend cannot run here.

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import project
    >>> noisy = np.hypot(*np.mgrid[-30:31, -30:31]) < 15
    >>> noisy[::7, ::5] ^= True
    >>> project(noisy).certificate.convex
    True
    """
    begin = time.perf_counter()
    target, _, spacing = labelled(target, None, spacing)
    probability = probability_map(target)
    nowhere = np.zeros(probability.shape, bool)
    held = nowhere if inside is None else checks.region("inside", inside, nowhere.shape)
    kept_out = nowhere if outside is None else checks.region("outside", outside, nowhere.shape)
    solver = get_backend(backend, target)
    chosen = part("shapes", shape).with_backend(solver)
    chosen.check(held, kept_out)
    steps, rng = checks.unit_spacing(spacing, probability.ndim), checks.generator(random_state)
    LOGGER.info("projecting %s pixels", "x".join(map(str, probability.shape)))
    with compilation_logged():
        fitted = chosen.fit(probability, inside=held, outside=kept_out, spacing=steps, random_state=rng)
    seconds = {"shape": time.perf_counter() - begin}
    # Without a boundary term the energy is solved by thresholding: the bound is exact at once.
    energy = TwoPhase(1 - 2 * probability, 0.0, lower=held.astype(np.float32), upper=(~kept_out).astype(np.float32))
    solution = pdhg(energy, backend=solver, coarse_to_fine=False)
    prediction = Prediction(
        probability=probability,
        index=solver.to_numpy(solution.labels),
        costs=np.stack([np.zeros_like(probability), energy.cost]),
        energy=energy,
        solution=solution,
        seconds={},
    )
    scene = Scene(
        image=probability[..., None],
        seeds=2 * held + kept_out,
        labels=(1, 2),
        spacing=(1.0,) * probability.ndim,
        valid=~nowhere,
        pixel_size=None if spacing is None else checks.spacing(spacing, probability.ndim),
    )
    found = Unified(prediction, fitted.mask.astype(np.int64), {1: fitted}, (), seconds, False)
    return assemble(scene, found, solver, {})
