"""The story of a segmentation, one stage a line: image and scribbles, costs, energy, solver, shape, certificate."""

import inspect
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from difflib import get_close_matches
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from . import checks
from ._families import find
from .backends import ArrayBackend, get_backend
from .energies.two_phase import TwoPhase
from .errors import InvalidParameterError, InvalidScribblesError, UnknownKeywordError
from .geometry.certify import certify_convexity
from .geometry.components import keep_scribbled
from .inputs import Scene, prepare, probability_map, region
from .likelihoods.base import Likelihood
from .options import TV, Components, NanPolicy, Relaxation, Unify
from .predictors.base import Prediction, Predictor
from .predictors.energy import EnergyPredictor, default_alpha
from .result import Segmentation, label_type
from .shapes.base import FittedShape, Shape
from .solvers.pdhg import Progress, pdhg
from .unify import Unified, joint, sequential

F = TypeVar("F", bound=Callable[..., Any])


def _nearest_keyword(function: F) -> F:
    """An unknown keyword is a TypeError that names the nearest one."""
    known = list(inspect.signature(function).parameters)

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name not in known:
                near = get_close_matches(name, known, 1, 0.5)
                hint = f"Did you mean {near[0]!r}?" if near else f"It takes: {', '.join(known)}."
                raise UnknownKeywordError(f"{function.__name__}() got an unknown keyword {name!r}. {hint}")
        return function(*args, **kwargs)

    return checked  # type: ignore[return-value]


@_nearest_keyword
def segment(
    image: Any,
    scribbles: Any,
    alpha: float | None = None,
    *,
    shape: str | Shape | Mapping[int, str | Shape | None] | None = None,
    unify: Unify = "sequential",
    predictor: str | Predictor = "energy",
    likelihood: str | Likelihood = "nieuwenhuis_cremers",
    edge_weight: Any = "contrast",
    tv: TV = "isotropic",
    relaxation: Relaxation = "zach",
    components: Components = "all",
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
    random_state: int | np.random.Generator | None = None,
) -> Segmentation:
    """Segment an image from a few scribbles.

    Minimises a likelihood plus total variation, <cost, u> + alpha ||g grad u||_1, to a certified gap; with
    ``shape="convex"`` the minimiser is then projected onto the convex sets, or found together with them
    (``unify="joint"``).

    Parameters
    ----------
    image : (*spatial) or (*spatial, C) array of bools, integers or floats
        2-D or 3-D, grey or with channels. Three channels are taken as sRGB. Any range: it is scaled by its own
        extremes.
    scribbles : (*spatial) int array, pair of bool arrays, or dict
        A label image (0 unlabelled, 1 background, 2.. objects, -1 outside), whose shape says which axes of the image
        are spatial; or masks (object, background); or polylines {"object": [(row, column), ...], "background": ...},
        where a value may also be a list of lines and a key a label.
    alpha : float, optional
        Weight of the total variation, in nats per pixel of boundary. Bigger is smoother; 0 leaves the likelihood alone.
        By default a quarter of the image's side N^(1/d), N pixels in d dimensions, so that the same picture at another
        resolution gives the same object.
    shape : {"convex", "polygon", ...}, Shape, mapping of label to one of them or None, or None
        What the object is known to be; it keeps clear of pixels outside. With more than one object a mapping says it of
        each, ``{2: "convex", 3: None}``; labels that it leaves out have no shape, and the objects never overlap.
    unify : {"sequential", "joint"}
        How energy and shape come together: the solved u is projected once (paper, eq. 5); or energy, shape and the
        colour models are fitted to each other in turns, while one objective falls (`Segmentation.objective`). "joint"
        also learns from the pixels that no stroke touches. With a convex shape the outline is found directly, at two
        fifths of `alpha`, less where it follows edges. What has no shape is learnt from the energy's answer alone,
        and keeps only parts that hold a scribble, whatever `components` says.
    predictor : {"energy", "fcn", "cnn"} or Predictor
        Who says how probable the object is at each pixel: the energy of likelihood and total variation; or a network
        taught by the scribbles, pointwise or with 3x3 windows, whose log-odds replace the likelihood in that energy
        (with ``alpha=0`` nothing smooths them). An instance says more: `FcnPredictor` and `CnnPredictor` what the
        network sees, `GivenPredictor` what a map from elsewhere says.
    likelihood : {"nieuwenhuis_cremers", "gaussian_mixture", "histogram"} or Likelihood
        How the scribbles' appearance becomes a cost per pixel.
    edge_weight : "contrast", None, or (*spatial) array
        Factor g(x) on the boundary's price: low at the image's edges, 1 everywhere, or as given (>= 0).
    tv : {"isotropic", "anisotropic", "octagonal"}
        Boundary length as Euclid measures it; along the grid (exactly binary, but blocky); or along the grid and its
        diagonals (images only: exactly binary, 1.2 to 1.7 times the time).
    relaxation : {"zach", "ccp"}
        How more than two labels are made convex: fast, or tighter where three or more meet (see `Potts`).
    components : {"all", "scribbled"}
        Whether parts of an object that hold none of its scribbles are kept, or become background. "scribbled" is often
        better where things of the object's colour stand apart from it.
    channel_axis : int or None
        Where the channels are, if the image has one axis more than the scribbles; None if it must not.
    rgba : bool, optional
        What a fourth channel is: True leaves it out as transparency, False takes it as data.
    mask : (*spatial) bool array, optional
        Where to segment; elsewhere the labels are -1.
    spacing : float or tuple of float, optional
        Distance between neighbouring pixels along each spatial axis; only ratios matter.
    nan_policy : {"raise", "mask"}
        What to do with NaN and infinite pixels: refuse them, or leave them out of the data term.
    strict : bool
        Refuse strokes of different labels that cross; otherwise the later one wins, with a warning.
    backend : {"numba", "numpy", "cupy"} or None
        What computes; None is Numba for NumPy arrays.
    max_iter : int
        Most iterations of the solver on the full grid.
    tol : float
        Relative gap to stop at. Smaller is closer to the optimum.
    time_limit : float, optional
        Most seconds for the energy, and after which joint unification begins no further round; the best answer so far
        is returned, with a warning where the solver was cut short.
    callback : callable, optional
        Called with a `Progress` at each look at the gap, and after each round of joint unification with the mask so
        far; returning True stops it all.
    random_state : int or numpy.random.Generator, optional
        Seeds what is random: the same seed gives the same mask.

    Returns
    -------
    Segmentation

    Raises
    ------
    InvalidImageError, InvalidScribblesError, InvalidParameterError, UnsupportedTypeError, UnknownKeywordError
        If something passed is not what it has to be.
    ScribbleConflictError
        If no convex object can hold the scribbles, or no line parts those of two; its `pixels` say where.
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
    checks.one_of("unify", unify, Unify)
    checks.one_of("tv", tv, TV)
    checks.one_of("relaxation", relaxation, Relaxation)
    checks.one_of("components", components, Components)
    scene = prepare(
        image, scribbles, channel_axis=channel_axis, spacing=spacing, mask=mask, nan_policy=nan_policy, rgba=rgba,
        strict=strict,
    )  # fmt: skip
    checks.function("callback", callback)
    rng = checks.generator(random_state)
    home = get_backend(backend, image)
    energy = EnergyPredictor(
        likelihood=_part("likelihoods", likelihood, "costs"),
        alpha=default_alpha(scene) if alpha is None else checks.real_number("alpha", alpha),
        edge_weight=edge_weight,
        tv=tv,
        backend=home,
        max_iter=checks.whole_number("max_iter", max_iter),
        tol=checks.real_number("tol", tol),
        time_limit=None if time_limit is None else checks.real_number("time_limit", time_limit),
        callback=callback,
        relaxation=relaxation,
    )
    who = _predictor(predictor, energy, rng)
    seconds = {"prepare": time.perf_counter() - begin}
    shapes = {k: part.with_backend(home) for k, part in _shapes(shape, scene.labels).items()}
    if unify == "joint":
        found = joint(who, shapes, scene, time_limit=energy.time_limit, random_state=rng)
    elif shapes:
        found = sequential(who, shapes, scene, random_state=rng)
    else:
        prediction = who.predict(scene)
        found = Unified(prediction, prediction.index, {}, (), prediction.seconds)
    index = found.index
    if components == "scribbled":
        index = keep_scribbled(index, scene.seeds, besides=shapes)  # what has a shape is in one piece
    return _result(scene, found.prediction, index, home, seconds | found.seconds, found.fitted, found.objective)


@_nearest_keyword
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

    Finds the set C nearest to the target, min |target - 1_C|^2 (paper, eq. 4), with C convex.

    Parameters
    ----------
    target : (H, W) or (D, H, W) array
        A mask (bool, or integers 0 and one other value), or probabilities of the object in [0, 1].
    shape : {"convex", "polygon", "hull", ...} or Shape
        What the object is known to be.
    inside, outside : bool array of the target's shape, optional
        Pixels that must, and that must not, belong to the object.
    spacing : float or tuple of float, optional
        Distance between neighbouring pixels along each axis.
    backend : {"numba", "numpy", "cupy"} or None
        What computes; None works where `target` lives, on the CPU by Numba. The answer is in the host's memory.
    random_state : int or numpy.random.Generator, optional
        Seeds what is random: the same seed gives the same mask.

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
        If no convex set holds `inside` without `outside`; its `pixels` say where.
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
    probability = probability_map(target)
    nowhere = np.zeros(probability.shape, bool)
    held = nowhere if inside is None else region("inside", inside, nowhere.shape)
    kept_out = nowhere if outside is None else region("outside", outside, nowhere.shape)
    home = get_backend(backend, target)
    part = _shape(shape).with_backend(home)
    part.check(held, kept_out)
    fitted = part.fit(
        probability,
        inside=held,
        outside=kept_out,
        spacing=checks.spacing(spacing, probability.ndim),
        random_state=checks.generator(random_state),
    )
    done = time.perf_counter()
    # Without a boundary term the energy is solved by thresholding: the bound is exact at once.
    energy = TwoPhase(1 - 2 * probability, 0.0, lower=held.astype(np.float32), upper=(~kept_out).astype(np.float32))
    solution = pdhg(energy, backend=home, coarse_to_fine=False)
    prediction = Prediction(
        probability=probability,
        index=home.to_numpy(solution.labels),
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
    )
    return _result(scene, prediction, fitted.mask.astype(np.int64), home, {"shape": done - begin}, {1: fitted})


def _predictor(value: Any, energy: EnergyPredictor, rng: np.random.Generator) -> Predictor:
    """A predictor by its name, or the object itself; what it leaves open, `segment`'s own keywords say."""
    if isinstance(value, str) and value == "energy":
        return energy
    part = _part("predictors", value, "predict")
    if not hasattr(part, "settle"):
        return part
    # The energy takes nothing from chance: so that a shape draws what it draws without a network, a copy is asked.
    return part.settle(energy, int(deepcopy(rng).integers(2**31)))


def _shapes(shape: Any, labels: tuple[int, ...]) -> dict[int, Shape]:
    """The shape of each label that has one, by the label's index."""
    if shape is None:
        return {}
    if not isinstance(shape, Mapping):
        if len(labels) != 2:
            raise InvalidScribblesError(
                "a shape by itself needs one object (a label from 2 on) on a background (label 1); got labels "
                f"{labels}. Name the objects that have it, e.g. shape={{{labels[-1]}: {shape!r}}}."
            )
        shape = {labels[1]: shape}
    for label in shape:
        if label not in labels[1:]:
            kind = "the background" if label == labels[0] else "no label of the scribbles"
            raise InvalidParameterError(
                f"shape must name labels of objects, {', '.join(map(str, labels[1:]))}; got {label!r}, which is "
                f"{kind}. Leave it out."
            )
    wanted = {labels.index(label): value for label, value in shape.items() if value is not None}
    if wanted and labels[0] != 1:
        raise InvalidScribblesError(
            f"a shape needs a background (label 1) to stand on; got labels {labels}. Scribble on the background, too."
        )
    return {k: _shape(value) for k, value in sorted(wanted.items())}


def _shape(value: Any) -> Shape:
    """A shape by its name, or the instance itself."""
    if isinstance(value, str):
        return find("shapes", value)()
    if not isinstance(value, Shape):
        raise InvalidParameterError(
            f"shape must be a name or an instance of varconvex.shapes.base.Shape; got {value!r}. Pass e.g. 'convex'."
        )
    return value


def _part(family: str, value: Any, method: str) -> Any:
    """A part by its name, or the object itself."""
    if isinstance(value, str):
        return find(family, value)()
    if isinstance(value, type) or not hasattr(value, method):
        raise InvalidParameterError(
            f"{family[:-1]} must be a name or an object with a method {method}(); got {value!r}. Pass e.g. an instance."
        )
    return value


def _result(
    scene: Scene,
    prediction: Prediction,
    index: np.ndarray,
    backend: ArrayBackend,
    seconds: dict[str, float],
    fitted: Mapping[int, FittedShape] = MappingProxyType({}),
    objective: tuple[float, ...] = (),
) -> Segmentation:
    """Labels as the user named them, their energy, and the certificate; `index` is each pixel's label in the end.

    `fitted` is by index of the label.
    """
    begin = time.perf_counter()
    certificates = {scene.labels[k]: certify_convexity(part.mask) for k, part in fitted.items()}
    ids = np.array(scene.labels)
    outside = scene.seeds < 0
    kind = label_type(scene.labels, bool(outside.any()))
    return Segmentation(
        labels=np.where(outside, -1, ids[index]).astype(kind),
        label_ids=scene.labels,
        probability=prediction.probability,
        unconstrained=np.where(outside, -1, ids[prediction.index]).astype(kind),
        costs=prediction.costs,
        **_certified(prediction, index, backend),
        certificates=certificates,
        shapes={scene.labels[k]: part for k, part in fitted.items()},
        objective=objective,
        seconds=seconds | {"certify": time.perf_counter() - begin},
        image=scene.image,
        seeds=np.where(scene.seeds > 0, ids[np.maximum(scene.seeds, 1) - 1], scene.seeds).astype(kind),
    )


def _certified(prediction: Prediction, index: np.ndarray, backend: ArrayBackend) -> dict[str, Any]:
    """What is certain about an energy, by the names of `Segmentation`; nothing, where a predictor minimises none."""
    solution = prediction.solution
    if prediction.energy is None or solution is None:
        return dict.fromkeys(("energy", "unconstrained_energy", "primal", "dual", "relative_gap"), float("nan")) | {
            "history": (),
            "converged": True,
            "status": "no energy",
        }
    energy = solution.energy if index is prediction.index else prediction.energy.value(backend, index)
    return {
        "energy": energy,
        "unconstrained_energy": solution.energy,
        "primal": solution.primal,
        "dual": solution.dual,
        "relative_gap": float(solution.relative_gap),
        "history": solution.history,
        "converged": bool(solution.converged),
        "status": solution.status,
    }
