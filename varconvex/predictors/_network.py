"""A small network taught by one image's scribbles (paper, section 4), and what `fcn` and `cnn` share.

    theta = argmin   say CE(scribbles) + (1 - say) CE(both sides of an answer) + weight/4 mean KL(v, sigma(n))

n is the network's log-odds, CE the mean cross-entropy with both classes weighed alike, v what a `pull` asks for. By
Pinsker's inequality KL(v, p) >= 2 |v - p|^2, so the last term bounds weight/2 |sigma(n) - v|^2; unlike the square it
has a slope where the network is certain and wrong. The inputs are jittered while it learns (`_course`): that is what a
kernel does for a density, and keeps few strokes from being learnt by heart. A few networks from different starts are
averaged: where no stroke speaks, they disagree and say little. A network that is shown places is also told what places
mean by themselves, n <- n + d log(distance to the background's strokes / distance to the object's): from strokes, where
one of the two is 0, that cannot be learnt.

The network's log-odds may be the cost of the toolkit's energy, so that boundaries are short and follow the image's
edges; without one they are thresholded. See `_log_odds`, which also holds the objective of joint unification; with a
convex shape on a plane that is the energy of a set (`shaped`), whose appearance the networks are.
"""

import time
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from .. import _threads, checks
from ..backends import get_backend
from ..errors import InvalidImageError
from ..inputs import Scene
from ..likelihoods._regional import GivenCosts
from ._channels import channels, groups_of
from ._convnet import ConvNet
from ._course import Course, Taught
from ._log_odds import check_labels, costs_of, counts_of, nearness, objective, prediction
from ._shaped import SIDE, Arrangement, ShapedEnergy, resized, shrink
from .base import Prediction
from .energy import EnergyPredictor, default_alpha

_RATE = 0.02
"""Of the first step; the last is 0."""

_FIRST = 0.3
"""Share of what the scribbles alone had taught in the log-odds for good, as for the energy's colour models."""

_SURE = 8.0
"""Most nats that one network of several may say: one that is certain must not outvote the others' doubt."""


@dataclass(frozen=True)
class NetworkPredictor:
    """A network taught by the scribbles; see `FcnPredictor` and `CnnPredictor`.

    Parameters
    ----------
    inputs : str
        What it sees of a pixel: "rgb", "xy", "features", joined by "+".
    features : (*spatial, F) array, optional
        The user's own; the toolkit's filter responses if not given.
    energy : "default", EnergyPredictor or None
        Regularises the log-odds, which replace its likelihood; by default as `segment`'s keywords say. None leaves the
        network alone.
    hidden : tuple of int
        Widths of the hidden layers.
    members : int
        Networks that are averaged. More are steadier and take longer.
    steps : int
        Steps of Adam for each network. More follow the strokes more closely.
    noise : float
        Standard deviation of the jitter in spreads of a channel. Bigger generalises further and blurs; 0 learns the
        strokes by heart.
    random_state : int, optional
        Same seed, same answer; `segment`'s by default.
    backend : name, ArrayBackend or None
        Where the network computes: its arrays live on the backend's device.

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
    taught: Taught | None = field(default=None, repr=False)
    counts: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        """Check every field, at the door."""
        groups_of(self.inputs)
        if self.energy is not None and not isinstance(self.energy, EnergyPredictor):
            checks.one_of("energy", self.energy, ("default", None))
        for name, least in (("members", 1), ("steps", 1), ("random_state", 0)):
            if getattr(self, name) is not None or name != "random_state":
                object.__setattr__(self, name, checks.whole_number(name, getattr(self, name), least=least))
        object.__setattr__(self, "noise", checks.real_number("noise", self.noise))
        object.__setattr__(self, "hidden", tuple(checks.whole_number("hidden", n, least=1) for n in self.hidden))

    def settle(self, energy: EnergyPredictor, random_state: int) -> Self:
        """What it leaves open, said by `segment`: the energy of its other keywords, the seed, where to compute."""
        return replace(
            self,
            energy=energy if self.energy == "default" else self.energy,
            random_state=random_state if self.random_state is None else self.random_state,
            backend=energy.backend if self.backend is None else self.backend,
        )

    def predict(self, scene: Scene, pull: tuple[Any, float] | None = None) -> Prediction:
        """Learn the scribbles, unless that is done; `pull` = (v, weight) adds its term to the loss."""
        begin = time.perf_counter()
        taught = self.known(scene)
        if pull is not None:
            taught = self._teach(scene, taught, pull)
        spent = time.perf_counter() - begin
        found = prediction(taught.now, scene, self._regulariser(scene))
        return replace(found, theta=taught, seconds={"train": spent, **found.seconds})

    def ready(self, scene: Scene, prediction: Prediction, index: np.ndarray) -> Self:
        """Return this predictor with what it learnt when it predicted; `index` says what a scribble counts as."""
        energy = self._regulariser(scene)
        energy = energy and energy.weighed(scene)
        return replace(
            self, taught=prediction.theta or self._first(scene), counts=counts_of(scene, index), energy=energy
        )

    def learn(self, scene: Scene, responsibility: np.ndarray) -> Self:
        """The same networks, taught further by both sides of an answer and by the scribbles."""
        taught = replace(self.known(scene), sides=responsibility)
        return replace(self, taught=self._teach(scene, taught, None))

    def shaped(self, scene: Scene) -> ShapedEnergy:
        """The energy of a set on a plane, and of what these networks say about its pixels: they are its appearance."""
        begun = replace(self, taught=self.known(scene))
        energy, small = self._regulariser(scene), shrink(scene, SIDE)
        alpha, weight = (0.0, None) if energy is None else (energy.alpha, energy.edge_weight)
        return ShapedEnergy.about(scene, small, _Said(begun, scene, small.seeds.shape), alpha, weight, self.backend)

    def watched(self, scene: Scene, found: Arrangement, value: float, begin: float) -> bool:
        """Show the energy's callback a set that has been reached, and J; whether it says stop."""
        energy = self._regulariser(scene)
        return energy is not None and energy.watched(scene, found, value, begin)

    def settled(self, scene: Scene, energy: ShapedEnergy, stopped: bool) -> Self:
        """Return this predictor with what `energy` has learnt; if stopped, it will not begin to iterate."""
        regulariser = self._regulariser(scene)
        if stopped and regulariser is not None:
            regulariser = replace(regulariser, callback=lambda _: True)
        return replace(energy.model.predictor, energy=regulariser)  # type: ignore[attr-defined]

    def sharpened(self, scene: Scene, energy: ShapedEnergy, found: Arrangement) -> np.ndarray:
        """As the energy that regularises it does, with what the networks say; without one the set as it is."""
        regulariser = self._regulariser(scene)
        if regulariser is None:
            return found.indicator(scene.seeds.shape)
        said = GivenCosts(costs_of(self.known(scene).now, scene))
        return replace(regulariser, likelihood=said).sharpened(scene, energy, found)

    def objective(self, scene: Scene, index: np.ndarray) -> float:
        """The length of these labels for who sees the image, in nats, and the price of their boundary."""
        taught = self.known(scene)
        return objective(taught.now, scene, index, self.counts, self._regulariser(scene))

    def known(self, scene: Scene) -> Taught:
        """What these networks have learnt; the scribbles, where that has yet to begin."""
        return self.taught or self._first(scene)

    def _regulariser(self, scene: Scene) -> EnergyPredictor | None:
        if self.energy == "default":
            return EnergyPredictor(None, alpha=default_alpha(scene), backend=self.backend)  # type: ignore[arg-type]
        return self.energy

    def _first(self, scene: Scene) -> Taught:
        """Networks from random starts, taught by the scribbles alone."""
        self._check(scene)
        xp = get_backend(self.backend).xp
        values, groups = channels(scene, self.inputs, self.features)
        reach = (self.kernel // 2) * (len(self.hidden) + 1)
        seen = np.pad(values, [(reach, reach)] * scene.seeds.ndim + [(0, 0)], mode="symmetric") if reach else values
        thetas = tuple(
            ConvNet.random(values.shape[-1], self.hidden, self.kernel, np.random.default_rng(seed), xp=xp).pack()
            for seed in np.random.SeedSequence(self.random_state or 0).spawn(self.members)
        )
        nothing = np.zeros(scene.seeds.shape, np.float32)
        taught = self._teach(scene, Taught(xp.asarray(seen), groups, thetas, nothing, nothing), None)
        return replace(taught, first=taught.now)

    def _teach(self, scene: Scene, taught: Taught, pull: tuple[Any, float] | None) -> Taught:
        """Every network a course further; a full one from the start, half of one afterwards."""
        from threadpoolctl import threadpool_limits

        fresh = not taught.first.any()
        steps = self.steps if fresh else max(1, self.steps // 2)
        backend = get_backend(self.backend)

        def course(member: int, theta: Any) -> tuple[Any, np.ndarray]:
            network = ConvNet(taught.seen.shape[-1], self.hidden, self.kernel, xp=backend.xp)
            network.unpack(theta)
            rng = np.random.default_rng([self.random_state or 0, member, fresh])
            Course(self, scene, taught, pull, rng).run(network, steps, _RATE if fresh else _RATE / 2)
            return network.pack(), np.clip(self._everywhere(network, taught.seen, backend, scene), -_SURE, _SURE)

        # Products so narrow are slower on several threads, by far where cores are shared: a thread is a network's.
        with threadpool_limits(1, "blas"):
            calls = list(enumerate(taught.thetas))
            # A device has one queue, and which one is the caller's.
            host = isinstance(taught.seen, np.ndarray)
            done = _threads.run(course, calls) if host else [course(*call) for call in calls]
        now = np.sum([odds for _, odds in done], axis=0) / len(done)
        if "xy" in taught.groups:
            now += nearness(scene)
        if not fresh:
            now = _FIRST * taught.first + (1 - _FIRST) * now
        return replace(taught, thetas=tuple(theta for theta, _ in done), now=now.astype(np.float32))

    def _everywhere(self, network: ConvNet, seen: Any, backend: Any, scene: Scene) -> np.ndarray:
        image = seen if self.kernel > 1 else seen.reshape(-1, 1, seen.shape[-1])
        return backend.to_numpy(network(image)).reshape(scene.seeds.shape)

    def _check(self, scene: Scene) -> None:
        check_labels(scene)
        if self.kernel > 1 and scene.seeds.ndim != 2:
            raise InvalidImageError(
                f"predictor 'cnn' needs a 2-D image; got {scene.seeds.ndim} spatial axes. Use 'fcn', or take slices."
            )


@dataclass(frozen=True)
class _Said:
    """What networks say on the small grid of a `ShapedEnergy`; they themselves see and learn the whole scene."""

    predictor: NetworkPredictor
    full: Scene
    shape: tuple[int, ...]

    @property
    def costs(self) -> np.ndarray:
        """What they say, clipped pixel by pixel before it is averaged."""
        costs = costs_of(self.predictor.known(self.full).now, self.full)
        return np.stack([resized(cost, self.shape) for cost in costs])

    def learn(self, scene: Scene, index: np.ndarray) -> "_Said":
        """The same networks, taught further by both sides of an answer."""
        inside = (resized((index == 1).astype(np.float32), self.full.seeds.shape) > 0.5).astype(np.float32)
        return replace(self, predictor=self.predictor.learn(self.full, np.stack([1 - inside, inside])))
