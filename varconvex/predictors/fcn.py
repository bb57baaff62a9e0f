"""The paper's FCN, a pointwise network, and what it shares with `cnn`: networks trained on one image (section 4).

The networks' log-odds may be the cost of the toolkit's energy, so that boundaries are short and follow the image's
edges; without one they are thresholded. See `appearance.networks` for the training, `SetEnergy` for joint unification
with convex shapes, whose appearance the networks are.
"""

import time
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from .. import checks
from ..errors import InvalidImageError, InvalidParameterError
from ..inputs import Scene
from ..keywords import known_keywords
from .appearance.base import GivenCosts, check_labels, costs_of, grid_weights, scribble_weights
from .appearance.channels import groups_of
from .appearance.networks import NetworkAppearance
from .base import LearningPredictor, Prediction, ProximalTerm, SetPredictor
from .energy import EnergyPredictor, default_alpha, predict_log_odds
from .set_energy import SIDE, Arrangement, SetEnergy
from .small_grid import shrink

_MOST = 10_000
"""Networks, and units of a layer: more are a slip of the pen."""


@dataclass(frozen=True)
class NetworkPredictor(LearningPredictor, SetPredictor):
    """Networks trained on the scribbles of one image; see `FcnPredictor` and `CnnPredictor`.

    Parameters
    ----------
    inputs : str
        Groups of input channels: "rgb", "xy", "features", joined by "+".
    features : array, callable, str, torch.nn.Module, Extractor or Features, optional
        The user's own, see `Features`: left out where strokes held back are predicted no better by them. The toolkit's
        filter responses if not given.
    energy : "default", EnergyPredictor or None
        Regularises the log-odds, which replace its likelihood; by default that of `segment`'s keywords. None is no
        regularisation.
    hidden : tuple of int
        Widths of the hidden layers.
    members : int
        Networks that are averaged. More are steadier and take longer.
    steps : int
        Steps of Adam for each network. More follow the strokes more closely.
    noise : float
        Standard deviation of the jitter in spreads of a channel. Bigger generalises further and blurs; 0 overfits the
        strokes.
    random_state : int, optional
        Seed of initial values and batches; `segment`'s by default.
    backend : name, ArrayBackend or None
        Computes the networks, on its device.

    Raises
    ------
    InvalidParameterError
        If a parameter is not what it may be.
    """

    kernel: ClassVar[int]
    batch: ClassVar[int]

    inputs: str = "rgb+xy"
    features: Any = None
    energy: Any = "default"
    hidden: tuple[int, ...] = (16, 16, 16)
    members: int = 4
    steps: int = 600
    noise: float = 0.4
    random_state: int | None = None
    backend: Any = None
    appearance: NetworkAppearance | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        groups_of(self.inputs)
        if self.energy is not None and not isinstance(self.energy, EnergyPredictor):
            checks.one_of("energy", self.energy, ("default", None))
        for name, least, most in (("members", 1, _MOST), ("steps", 1, np.inf), ("random_state", 0, np.inf)):
            if getattr(self, name) is not None or name != "random_state":
                object.__setattr__(self, name, checks.whole_number(name, getattr(self, name), least=least, most=most))
        if self.appearance is not None and not isinstance(self.appearance, NetworkAppearance):
            raise InvalidParameterError(
                f"appearance must be None or a trained network; got {self.appearance!r:.80}. Leave it out."
            )
        object.__setattr__(self, "noise", checks.real_number("noise", self.noise))
        hidden = self.hidden if checks.several(self.hidden) else (self.hidden,)
        widths = tuple(checks.whole_number("hidden", n, least=1, most=_MOST) for n in hidden)
        object.__setattr__(self, "hidden", widths)

    def with_defaults(self, energy: EnergyPredictor, random_state: int) -> Self:
        """The predictor with the energy, the seed and the backend of `segment`'s keywords where it has none."""
        return replace(
            self,
            energy=energy if self.energy == "default" else self.energy,
            random_state=random_state if self.random_state is None else self.random_state,
            backend=energy.backend if self.backend is None else self.backend,
        )

    def predict(self, scene: Scene, proximal: ProximalTerm | None = None) -> Prediction:
        """Train on the scribbles, unless that is done, and on the proximal term; then predict."""
        begin = time.perf_counter()
        appearance = self.trained(scene).near(proximal)
        spent = time.perf_counter() - begin
        found = predict_log_odds(appearance.log_odds, scene, self.regulariser(scene))
        return replace(found, theta=appearance, seconds={"train": spent, **found.seconds})

    def ready(self, scene: Scene, prediction: Prediction, index: np.ndarray) -> Self:
        """The predictor with the networks of its first prediction."""
        energy = self.regulariser(scene)
        weights = tuple(1 + weight for weight in scribble_weights(scene, index))
        appearance = replace(prediction.theta or self.trained(scene), weights=weights)
        return replace(self, appearance=appearance, energy=energy and energy.with_fixed_weight(scene))

    def learn(self, scene: Scene, index: np.ndarray) -> Self:
        """The predictor with its networks trained further, on the regions of `index` and on the scribbles."""
        return replace(self, appearance=self.trained(scene).learn(scene, index))

    def objective(self, scene: Scene, index: np.ndarray) -> float:
        """Data cost and boundary cost of the label image `index` ((*spatial) int), in nats."""
        data, energy = self.trained(scene).data_cost(scene, index), self.regulariser(scene)
        return data if energy is None else data + energy.boundary(scene, index)

    def set_energy(self, scene: Scene) -> SetEnergy:
        """The energy of a set, with the networks as its appearance; for an image."""
        appearance = replace(self.trained(scene), weights=grid_weights(shrink(scene, SIDE)))
        energy = self.regulariser(scene)
        alpha, weight = (0.0, None) if energy is None else (energy.alpha, energy.edge_weight)
        return SetEnergy.start(scene, appearance, alpha, weight, self.backend)

    def with_learned(self, scene: Scene, energy: SetEnergy, *, iterate: bool = True) -> Self:
        """The predictor with the networks of `energy`; without `iterate` its energy has `max_iter` 0."""
        assert isinstance(energy.appearance, NetworkAppearance)
        regulariser = self.regulariser(scene)
        if regulariser is not None and not iterate:
            regulariser = replace(regulariser, max_iter=0, callback=None)
        return replace(self, appearance=energy.appearance, energy=regulariser)

    def refine_boundary(self, scene: Scene, energy: SetEnergy, found: Arrangement) -> np.ndarray:
        """u near the sets' boundaries by the energy that regularises; without one the sets: (2, H, W) float32."""
        regulariser = self.regulariser(scene)
        if regulariser is None:
            return found.indicator(scene.seeds.shape)
        costs = GivenCosts(costs_of(self.trained(scene).log_odds, scene))
        return replace(regulariser, likelihood=costs).refine_boundary(scene, energy, found)

    def trained(self, scene: Scene) -> NetworkAppearance:
        """The networks; trained on the scribbles of `scene` now, unless that is done."""
        if self.appearance is not None:
            return self.appearance
        check_labels(scene)
        if self.kernel > 1 and scene.seeds.ndim != 2:
            raise InvalidImageError(
                f"predictor 'cnn' needs a 2-D image; got {scene.seeds.ndim} spatial axes. Use 'fcn', or take slices."
            )
        return NetworkAppearance.start(self, scene)

    def regulariser(self, scene: Scene) -> EnergyPredictor | None:
        """The energy that regularises the log-odds, if any."""
        if self.energy == "default":
            return EnergyPredictor(GivenCosts(np.zeros(0)), alpha=default_alpha(scene), backend=self.backend)
        return self.energy


@known_keywords
@dataclass(frozen=True)
class FcnPredictor(NetworkPredictor):
    """Pointwise network; parameters as in `NetworkPredictor`.

    Examples
    --------
    >>> from varconvex import segment
    >>> result = segment(image, scribbles, predictor="fcn", shape="convex")  # doctest: +SKIP
    """

    kernel: ClassVar[int] = 1
    batch: ClassVar[int] = 1024
