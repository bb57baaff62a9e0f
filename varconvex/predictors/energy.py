"""The toolkit's own predictor: likelihood and total variation (paper, eq. 3).

u = argmin <cost_object - cost_background, u> + alpha sum_x g(x) |grad u(x)|     over u in [0, 1], seeds fixed
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend, get_backend
from ..edges import contrast_weight
from ..energies.potts import Potts
from ..energies.two_phase import TwoPhase
from ..errors import InvalidParameterError
from ..inputs import Scene
from ..likelihoods._learnt import LearntLikelihood
from ..likelihoods._regional import GivenCosts
from ..likelihoods.base import Likelihood
from ..likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood
from ..options import TV, Relaxation
from ..solvers.pdhg import Progress, pdhg
from ._shaped import CONVEX_SHARE, Arrangement, ShapedEnergy
from .base import Prediction

_UNKNOWN = (0.01, 0.03)
"""Shares of background and object that may have any colour whatever, where the shape is known to be convex."""


ALPHA_PER_SIDE = 0.25
"""Default weight of the total variation: nats per pixel of boundary, for each pixel of the image's side.

Enlarged k times, a picture has k^d times the data term and k^(d-1) times the boundary: an alpha that grows with the
side gives the same object at every resolution.
"""


def default_alpha(scene: Scene) -> float:
    """The default weight of the total variation, in nats per pixel of boundary."""
    return ALPHA_PER_SIDE * float(np.count_nonzero(scene.seeds >= 0)) ** (1 / scene.seeds.ndim)


@dataclass(frozen=True)
class EnergyPredictor:
    """The minimiser of a total-variation energy.

    Parameters
    ----------
    likelihood : Likelihood
        Gives the cost of each label at each pixel.
    alpha : float
        Weight of the total variation, in nats per pixel of boundary. Bigger is smoother; 0 leaves the likelihood alone.
    edge_weight : "contrast", None, or (*spatial) array
        Factor on the boundary's price: low where the image has edges, 1 everywhere, or as given.
    tv, relaxation, backend, max_iter, tol, time_limit, callback
        As in `Potts` and `pdhg`.
    """

    likelihood: Likelihood
    alpha: float
    edge_weight: Any = "contrast"
    tv: TV = "isotropic"
    backend: str | ArrayBackend | None = None
    max_iter: int = 10_000
    tol: float = 1e-3
    time_limit: float | None = None
    callback: Callable[[Progress], object] | None = None
    relaxation: Relaxation = "zach"

    def predict(self, scene: Scene, pull: tuple[Any, float] | None = None) -> Prediction:
        """Costs, energy, minimiser; `pull` = (v, weight) adds weight/2 |u - v|^2, for K labels weight/2 <1 - v, u>."""
        begin = time.perf_counter()
        backend = get_backend(self.backend)
        costs = self._placed().costs(scene)
        learnt = time.perf_counter()
        energy = self._energy(scene, costs, pull)
        solution = pdhg(
            energy,
            backend=backend,
            max_iter=self.max_iter,
            tol=self.tol,
            time_limit=None if self.time_limit is None else max(self.time_limit - (learnt - begin), 0.0),
            callback=self.callback,
        )
        return Prediction(
            probability=backend.to_numpy(solution.u),
            index=backend.to_numpy(solution.labels),
            costs=costs,
            energy=energy,
            solution=solution,
            seconds={"likelihood": learnt - begin, "solve": time.perf_counter() - learnt},
        )

    def ready(self, scene: Scene, prediction: Prediction, index: np.ndarray) -> "EnergyPredictor":
        """The scribbles' costs keep a share for good; mixtures of appearance join them, of the scribbles at first."""
        taught = LearntLikelihood.start(scene, prediction.costs, index)
        return replace(self.weighed(scene), likelihood=taught)

    def learn(self, scene: Scene, responsibility: np.ndarray) -> "EnergyPredictor":
        """The same energy with mixtures re-estimated from both sides of an answer and from the scribbles."""
        return replace(self, likelihood=self._learnt().learn(scene, responsibility))

    def objective(self, scene: Scene, index: np.ndarray) -> float:
        """The length of these labels for who sees the image, and the price of their boundary."""
        likelihood = self._learnt()
        costs = np.where(scene.seeds < 0, 0, likelihood.learnt)
        energy = self._energy(scene, costs, None).value(get_backend(self.backend), index)
        # Two labels are solved for the difference of their costs: what the background costs everywhere is added again.
        return energy + likelihood.constant + (float(costs[0].sum(dtype=np.float64)) if len(costs) == 2 else 0.0)

    def shaped(self, scene: Scene) -> ShapedEnergy:
        """The energy of convex sets and their appearance together; on a plane.

        Colours that no stroke has touched are left to position, the objects' sooner: their strokes lie within them, and
        those of the background go around.
        """
        likelihood = self._placed()
        if isinstance(likelihood, NieuwenhuisCremersLikelihood) and not any(likelihood.unknown):
            likelihood = replace(likelihood, unknown=_UNKNOWN)
        return ShapedEnergy.start(scene, likelihood, self.alpha, self.edge_weight, self.backend)

    def watched(self, scene: Scene, found: Arrangement, value: float, begin: float) -> bool:
        """Show the callback sets that have been reached, and J; whether it says stop. No bound is known for them."""
        if self.callback is None:
            return False
        u = found.indicator(scene.seeds.shape)
        shown = u[1] if len(u) == 2 else u
        answer = self.callback(Progress(0, time.perf_counter() - begin, value, -np.inf, np.inf, shown))
        return isinstance(answer, bool | np.bool_) and bool(answer)

    def settled(self, scene: Scene, energy: ShapedEnergy, stopped: bool) -> "EnergyPredictor":
        """Return this predictor with what `energy` has learnt; if stopped, it will not begin to iterate."""
        callback = (lambda _: True) if stopped else self.callback
        return replace(self.weighed(scene), likelihood=GivenCosts(energy.costs(scene.seeds.shape)), callback=callback)

    def sharpened(self, scene: Scene, energy: ShapedEnergy, found: Arrangement) -> np.ndarray:
        """u within a pixel of the small grid around the sets, which can tell no more, at their own price of length.

        Ask a settled predictor; farther away the sets stay what they are: (K, H, W) float32.
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
        fixed = replace(scene, seeds=np.where(near | (scene.seeds != 0), scene.seeds, index + 1).astype(np.int32))
        sharp = replace(self, alpha=CONVEX_SHARE * self.alpha, callback=None).predict(fixed).probability
        return np.stack([1 - sharp, sharp]) if len(u) == 2 else sharp

    def weighed(self, scene: Scene) -> "EnergyPredictor":
        """The same, with the scene's edge weight computed once and for all."""
        return replace(self, edge_weight=self._weight(scene))

    def boundary(self, scene: Scene, index: np.ndarray) -> float:
        """What the boundary of a label image costs, in nats."""
        nothing = np.zeros((len(scene.labels), *scene.seeds.shape), np.float32)
        return self._energy(scene, nothing, None).value(get_backend(self.backend), index)

    def _placed(self) -> Any:
        """The likelihood; if it can compute anywhere, then where the energy is solved."""
        likelihood: Any = self.likelihood
        backend = get_backend(self.backend)
        return replace(likelihood, backend=backend) if getattr(likelihood, "backend", backend) is None else likelihood

    def _learnt(self) -> LearntLikelihood:
        if isinstance(self.likelihood, LearntLikelihood):
            return self.likelihood
        raise InvalidParameterError(
            f"a predictor that learns was expected; got one with {self.likelihood!r}. Take what its ready() returns."
        )

    def _energy(self, scene: Scene, costs: np.ndarray, pull: tuple[Any, float] | None) -> TwoPhase | Potts:
        outside = scene.seeds < 0
        weight = _drop_rim(self._weight(scene), outside, diagonals=self.tv == "octagonal")
        common: dict[str, Any] = {"weight": weight, "spacing": scene.spacing, "tv": self.tv}
        costs = np.where(outside, 0, costs)
        if len(scene.labels) == 2:
            if pull is not None:
                common |= {"target": pull[0], "quadratic_weight": pull[1]}
            lower = (scene.seeds == 2).astype(np.float32)
            upper = (scene.seeds != 1).astype(np.float32)
            return TwoPhase(costs[1] - costs[0], self.alpha, lower=lower, upper=upper, **common)
        if pull is not None:
            # On labels, 1/2 |u - v|^2 is 1 - u_v; it counts half, so that a pull is worth as much as for two labels.
            costs = costs + np.float32(pull[1] / 2) * (1 - np.asarray(pull[0], np.float32))
        seeded = np.stack([scene.seeds == k + 1 for k in range(len(scene.labels))])
        return Potts(costs, self.alpha, lower=seeded.astype(np.float32), relaxation=self.relaxation, **common)

    def _weight(self, scene: Scene) -> np.ndarray | None:
        if isinstance(self.edge_weight, str):
            checks.one_of("edge_weight", self.edge_weight, ("contrast",))
            return contrast_weight(scene.image, spacing=scene.spacing, valid=scene.valid)
        if self.edge_weight is None:
            return None
        weight = checks.as_numeric("edge_weight", self.edge_weight)
        if weight.shape != scene.seeds.shape:
            raise InvalidParameterError(
                f"edge_weight must be 'contrast', None or an array of the spatial shape {scene.seeds.shape}; got shape "
                f"{weight.shape}. Pass one number per pixel."
            )
        return weight


def _drop_rim(weight: np.ndarray | None, outside: np.ndarray, diagonals: bool) -> np.ndarray | None:
    """No boundary is paid for outside, nor where a difference reaches out: there the image simply ends."""
    if not outside.any():
        return weight
    reach = outside.copy()
    for axis in range(outside.ndim):
        near = [slice(None)] * outside.ndim
        far = [slice(None)] * outside.ndim
        near[axis], far[axis] = slice(None, -1), slice(1, None)
        reach[tuple(near)] |= outside[tuple(far)]
    if diagonals:
        reach[:-1, :-1] |= outside[1:, 1:]
        reach[:-1, 1:] |= outside[1:, :-1]
    return np.where(reach, 0, 1 if weight is None else weight).astype(np.float32)
