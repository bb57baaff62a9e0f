"""The toolkit's own predictor: likelihood and total variation (paper, eq. 3).

u = argmin <cost_object - cost_background, u> + alpha sum_x g(x) |grad u(x)|     over u in [0, 1], scribbles fixed
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from .. import checks
from ..backends import ArrayBackend, ends, get_backend
from ..energies.potts import Potts
from ..energies.total_variation import differences
from ..energies.two_phase import TwoPhase
from ..errors import InvalidParameterError
from ..geometry.components import keep_scribbled
from ..inputs import Scene
from ..keywords import known_keywords
from ..likelihoods.base import Likelihood
from ..likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood
from ..options import TV, EdgeWeight, Relaxation
from ..solvers.pdhg import Progress, Solution, pdhg
from ..solvers.solution import StoppingRules
from ..threads import in_time, run
from . import crowds
from .appearance.base import Appearance, GivenCosts, costs_of, sigmoid
from .appearance.mixtures import MixtureAppearance
from .base import LearningPredictor, Prediction, ProximalTerm, SetPredictor
from .set_energy import CONVEX_SHARE, Arrangement, SetEnergy
from .small_grid import InTime

_OUTLIERS = (0.01, 0.03)
"""Shares of uniform outliers among the colours of background and object, where the shape is known to be convex."""

DETOUR = 2.0
"""Cost of detours in the Nieuwenhuis-Cremers likelihood, where no shape keeps an object from flowing around strokes."""

ALPHA_PER_SIDE = 0.25
"""Default weight of the total variation: nats per pixel of boundary, for each pixel of the image's side.

Enlarged k times, a picture has k^d times the data term and k^(d-1) times the boundary: an alpha that grows with the
side gives the same object at every resolution.
"""


def default_alpha(scene: Scene) -> float:
    """The default weight of the total variation, in nats per pixel of boundary."""
    return ALPHA_PER_SIDE * scene.side


@known_keywords
@dataclass(frozen=True)
class EnergyPredictor(LearningPredictor, SetPredictor):
    """The minimiser of a total-variation energy.

    Parameters
    ----------
    likelihood : Likelihood
        Gives the cost of each label at each pixel; an `Appearance` can be re-estimated.
    alpha : float
        Weight of the total variation, in nats per pixel of boundary. Bigger is smoother; 0 leaves the likelihood alone.
    edge_weight : "contrast", None, or (*spatial) array
        Factor on the boundary cost: low where the image has edges, 1 everywhere, or as given.
    tv, relaxation, backend, max_iter, tol, time_limit, callback
        As in `Potts` and `pdhg`.
    part_crowds : bool
        Whether neighbours are held off an object in a crowd of its kind (`crowds`): one object in an image, with the
        Nieuwenhuis-Cremers likelihood.
    beyond : (*spatial) bool array or None
        Pixels that the object must not have, as they were found then.
    """

    likelihood: Likelihood
    alpha: float
    edge_weight: EdgeWeight | np.ndarray | None = "contrast"
    tv: TV = "isotropic"
    backend: str | ArrayBackend | None = None
    max_iter: int = 10_000
    tol: float = 1e-3
    time_limit: float | None = None
    callback: Callable[[Progress], object] | None = None
    relaxation: Relaxation = "zach"
    part_crowds: bool = False
    beyond: np.ndarray | None = None

    def __post_init__(self) -> None:
        known = self.likelihood is None or hasattr(self.likelihood, "costs")  # that of a given map has none
        if isinstance(self.likelihood, type) or not known:
            raise InvalidParameterError(
                f"likelihood must be an object with a method costs(); got {self.likelihood!r:.80}. Pass e.g. "
                "HistogramLikelihood()."
            )

    def predict(self, scene: Scene, proximal: ProximalTerm | None = None) -> Prediction:
        """Costs, energy and minimiser; for K labels the proximal term is weight/2 <1 - target, u>."""
        rules = StoppingRules.checked(self.max_iter, self.tol, self.time_limit, self.callback)
        backend, likelihood = get_backend(self.backend), self._in_time(self._placed(detour=DETOUR))
        costs, weighted = run(lambda part: part(scene), [(likelihood.costs,), (self.with_fixed_weight,)])
        learnt = rules.elapsed()

        def solve(energy: TwoPhase | Potts, start: Solution | None = None) -> Solution:
            return pdhg(
                energy, backend=backend, max_iter=self.max_iter, tol=self.tol, time_limit=rules.seconds_left(),
                callback=self.callback, start=start,
            )  # fmt: skip

        held = self.beyond
        energy = weighted._energy(_limited(scene, held), costs, proximal)
        solution = solve(energy)
        if self.part_crowds and held is None and solution.status != "stopped":
            index = backend.to_numpy(solution.labels)
            held = in_time(lambda: weighted._beyond(scene, index, costs), rules.deadline)
            if held is not None:
                energy = weighted._energy(_limited(scene, held), costs, proximal)
                solution = solve(energy, solution)
        return Prediction(
            probability=backend.to_numpy(solution.u),
            index=backend.to_numpy(solution.labels),
            costs=costs,
            energy=energy,
            solution=solution,
            seconds={"likelihood": learnt, "solve": rules.elapsed() - learnt},
            theta=held,
        )

    def ready(self, scene: Scene, prediction: Prediction, index: np.ndarray) -> "EnergyPredictor":
        """The predictor with mixtures of the scribbles' appearance mixed into the scribbles' costs."""
        appearance = MixtureAppearance.start(scene, prediction.costs, index)
        return replace(self.with_fixed_weight(scene), likelihood=appearance, beyond=prediction.theta)

    def learn(self, scene: Scene, index: np.ndarray) -> "EnergyPredictor":
        """The predictor with its appearance re-estimated from the regions of `index` and from the scribbles."""
        return replace(self, likelihood=self._appearance().learn(scene, index))

    def objective(self, scene: Scene, index: np.ndarray) -> float:
        """Data cost and boundary cost of the label image `index` ((*spatial) int), in nats."""
        return self.data_cost(scene, index) + self.boundary(scene, index)

    def data_cost(self, scene: Scene, index: np.ndarray) -> float:
        """Data cost of the label image `index` ((*spatial) int), in nats."""
        return self._appearance().data_cost(scene, index)

    def boundary(self, scene: Scene, index: np.ndarray) -> float:
        """Boundary cost of the label image `index` ((*spatial) int), in nats."""
        nothing = np.zeros((len(scene.labels), *scene.seeds.shape), np.float32)
        return self._energy(scene, nothing, None).value(get_backend(self.backend), index)

    def set_energy(self, scene: Scene) -> SetEnergy:
        """The energy of convex sets and their appearance, for an image.

        With uniform outliers in the scribbles' colours, more of them in the objects': their strokes lie within them,
        and those of the background go around.
        """
        likelihood = self._placed()
        if not isinstance(likelihood, NieuwenhuisCremersLikelihood):
            likelihood = self._in_time(likelihood)
        elif not any(likelihood.outliers):  # quick on the small grid
            likelihood = replace(likelihood, outliers=_OUTLIERS)

        def start(scene: Scene) -> SetEnergy:
            return SetEnergy.start(scene, likelihood, self.alpha, self.edge_weight, self.backend)

        # The weight is needed in the end, when there may be no time left.
        return run(lambda part: part(scene), [(start,), (self._weight,)])[0]

    def with_learned(self, scene: Scene, energy: SetEnergy, *, iterate: bool = True) -> "EnergyPredictor":
        """The predictor with the costs of `energy` on the full grid; without `iterate` with `max_iter` 0."""
        likelihood = GivenCosts(energy.resampled_costs(scene.seeds.shape))
        learned = replace(self.with_fixed_weight(scene), likelihood=likelihood)
        return learned if iterate else replace(learned, max_iter=0, callback=None)

    def refine_boundary(self, scene: Scene, energy: SetEnergy, found: Arrangement) -> np.ndarray:
        """u within a pixel of the small grid around the sets, where that grid cannot resolve them: (K, H, W) float32.

        It minimises the energy with the sets' own alpha; farther away the sets stay as they are.
        """
        from scipy.ndimage import distance_transform_edt

        u = found.indicator(scene.seeds.shape)
        index = u.argmax(axis=0)
        # Half a pixel is between a boundary and the pixel beside it.
        reach = (scene.seeds.size / energy.scene.seeds.size) ** 0.5 + 0.5
        near = np.zeros(index.shape, bool)
        for mask in (index == k for k in found.outlines):
            if mask.any() and not mask.all():
                inside, outside = (distance_transform_edt(side, sampling=scene.spacing) for side in (mask, ~mask))
                near |= inside + outside <= reach
        seeds = np.where(near | (scene.seeds != 0), scene.seeds, index + 1).astype(np.int32)
        fixed = scene.with_seeds(seeds, scene.labels)
        sharp = replace(self, alpha=CONVEX_SHARE * self.alpha, callback=None).predict(fixed).probability
        return np.stack([1 - sharp, sharp]) if len(u) == 2 else sharp

    def with_fixed_weight(self, scene: Scene) -> "EnergyPredictor":
        """The predictor with the scene's edge weight computed once and for all."""
        return replace(self, edge_weight=self._weight(scene))

    def _placed(self, **defaults: Any) -> Likelihood:
        """The likelihood, with the energy's backend and these values wherever it has such a field and that is None."""
        likelihood: Any = self.likelihood
        defaults["backend"] = get_backend(self.backend)
        unset = {name: value for name, value in defaults.items() if getattr(likelihood, name, value) is None}
        return replace(likelihood, **unset) if unset else likelihood

    def _beyond(self, scene: Scene, index: np.ndarray, costs: np.ndarray) -> np.ndarray | None:
        """Pixels of neighbours that an object in a crowd must not have, see `crowds.beyond`."""
        known = isinstance(self.likelihood, NieuwenhuisCremersLikelihood) and len(scene.labels) == scene.seeds.ndim == 2
        mine = keep_scribbled(index, scene.seeds) == 1
        return crowds.beyond(scene, self.set_energy(scene)) if known and crowds.likely(scene, mine, costs) else None

    def _in_time(self, likelihood: Likelihood) -> Likelihood:
        """The likelihood, within the time limit where there is one and something is to be computed."""
        known = self.time_limit is None or isinstance(likelihood, GivenCosts | Appearance)
        return likelihood if known else InTime(likelihood, cast(float, self.time_limit))

    def _appearance(self) -> Appearance:
        if isinstance(self.likelihood, Appearance):
            return self.likelihood
        raise InvalidParameterError(
            f"a predictor that learns was expected; got one with {self.likelihood!r}. Take what its ready() returns."
        )

    def _energy(self, scene: Scene, costs: np.ndarray, proximal: ProximalTerm | None) -> TwoPhase | Potts:
        """The energy; a boundary costs nothing at outside pixels and where one of its differences reaches one."""
        outside = scene.seeds < 0
        weight = self._weight(scene)
        if outside.any():
            rim = outside.copy()
            for near, far in ends(outside.ndim, outside.ndim, differences(self.tv, scene.spacing)["offsets"]):
                rim[near] |= outside[far]
            weight = np.where(rim, 0, 1 if weight is None else weight).astype(np.float32)
        common: dict[str, Any] = {"weight": weight, "spacing": scene.spacing, "tv": self.tv}
        costs = np.where(outside, 0, costs)
        if len(scene.labels) == 2:
            if proximal is not None:
                common |= {"target": proximal.target, "quadratic_weight": proximal.weight}
            lower = (scene.seeds == 2).astype(np.float32)
            upper = (scene.seeds != 1).astype(np.float32)
            return TwoPhase(costs[1] - costs[0], self.alpha, lower=lower, upper=upper, **common)
        if proximal is not None:
            # On labels, 1/2 |u - v|^2 is 1 - u_v; half of it is what the term for two labels amounts to.
            costs = costs + np.float32(proximal.weight / 2) * (1 - np.asarray(proximal.target, np.float32))
        seeded = np.stack([scene.seeds == k + 1 for k in range(len(scene.labels))])
        return Potts(costs, self.alpha, lower=seeded.astype(np.float32), relaxation=self.relaxation, **common)

    def _weight(self, scene: Scene) -> np.ndarray | None:
        """The edge weight: (*spatial) float, or None for 1 everywhere."""
        if isinstance(self.edge_weight, str):
            checks.one_of("edge_weight", self.edge_weight, EdgeWeight)
            return scene.contrast_weight
        if self.edge_weight is None:
            return None
        weight = checks.as_numeric("edge_weight", self.edge_weight)
        if weight.shape != scene.seeds.shape:
            raise InvalidParameterError(
                f"edge_weight must be 'contrast', None or an array of the spatial shape {scene.seeds.shape}; got shape "
                f"{weight.shape}. Pass one number per pixel."
            )
        return weight


def _limited(scene: Scene, beyond: np.ndarray | None) -> Scene:
    """The scene with background seeds on the pixels `beyond`."""
    return scene if beyond is None else replace(scene, seeds=np.where(beyond, 1, scene.seeds))


def check_energy(energy: Any) -> None:
    """Raise an InvalidParameterError unless it is an energy or None."""
    if energy is not None and not isinstance(energy, EnergyPredictor):
        raise InvalidParameterError(f"energy must be None or an EnergyPredictor; got {energy!r:.80}. Leave it out.")


def predict_log_odds(log_odds: np.ndarray, scene: Scene, energy: EnergyPredictor | None) -> Prediction:
    """The minimiser of `energy` with these log-odds as its cost, or, without one, their own probabilities.

    Scribbles are held either way: as bounds on u, or by writing them into the map. So an answer is never empty.
    """
    costs = costs_of(log_odds, scene)
    if energy is not None:
        found = replace(energy, likelihood=GivenCosts(costs)).predict(scene)
        return replace(found, seconds={name: spent for name, spent in found.seconds.items() if name != "likelihood"})
    probability = np.where(scene.valid, sigmoid(log_odds), 0)
    probability = np.where(scene.seeds == 2, 1, np.where(scene.seeds == 1, 0, probability)).astype(np.float32)
    return Prediction(probability, (probability > 0.5).astype(np.int64), costs, {})
