"""Segment Anything, prompted by strokes.

A few pixels of the strokes are its points: it was trained on single clicks, and gives bad masks for all pixels of a
stroke. Of the masks that it offers for a prompt, the one that agrees best with all strokes is taken. The map has the
decoder's resolution, 256 pixels a side; `varconvex.refine` brings it to the image's.

Models are those of `transformers` (SAM, SAM-HQ, SAM 2) and predictors of `segment_anything` or packages like it.
"""

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, cast

import numpy as np

from .. import checks
from ..errors import (
    FileFormatError,
    InvalidImageError,
    InvalidParameterError,
    InvalidScribblesError,
    UnsupportedTypeError,
)
from ..extractors.base import optional
from ..inputs import Scene
from ..keywords import known_keywords
from ..likelihoods._harmonic import between
from ..predictors.energy import EnergyPredictor, check_energy
from .base import MapPredictor, rgb

Choice = Literal["strokes", "score"]
"""Which of several masks is taken: that which agrees best with the strokes, or that of which the model is surest."""


@known_keywords
@dataclass(frozen=True, eq=False)
class SamPredictor(MapPredictor):
    """A Segment Anything model as a predictor.

    What it makes of an image is kept for the next strokes, so that in a `Session` only the first one waits for it.

    Parameters
    ----------
    model : SamModel, SamHQModel or Sam2Model of transformers, or a predictor of segment_anything
        A predictor has ``set_image`` and ``predict``. It answers on the device that it is on.
    processor : processor of transformers, optional
        Of the model; only for those of transformers, which need it.
    points, background_points : int, at least 0
        Pixels of the object's and of the background's strokes that prompt it: the one nearest to their middle, then
        the farthest from those that are chosen. More say more, until it is no longer a prompt as it knows them.
    box : (4,) float, optional
        Box around the object: its first row, first column, last row and last column.
    choice : {"strokes", "score"}
        Which of the masks for a prompt is taken: that which agrees with most pixels of the strokes, both labels
        counting alike; or that with the best score by the model itself.
    random_state : int, optional
        Chooses the points by chance, as in the paper; the same number the same points.
    energy : EnergyPredictor or None
        Regularises the map, whose log-odds replace its likelihood. None takes the map as it is.

    Raises
    ------
    UnsupportedTypeError, InvalidParameterError
        If the model is no such model, or a parameter is out of its range.
    InvalidScribblesError
        When it predicts, if there is neither a point nor a box.

    References
    ----------
    Kirillov et al., Segment Anything, ICCV 2023, doi:10.1109/ICCV51070.2023.00371

    Examples
    --------
    >>> from varconvex import refine, segment
    >>> from varconvex.adapters import SamPredictor
    >>> sam = SamPredictor.read("sam-vit-base")  # doctest: +SKIP
    >>> result = segment(image, strokes, predictor=sam, shape="convex")  # doctest: +SKIP
    >>> fine = refine(sam.logits(image, strokes), image, strokes, "convex", kind="logits")  # doctest: +SKIP
    """

    model: Any
    processor: Any = None
    points: int = 1
    background_points: int = 0
    box: Any = None
    choice: Choice = "strokes"
    random_state: int | None = None
    energy: EnergyPredictor | None = None
    _kept: "_Kept" = field(default_factory=lambda: _Kept(), repr=False)

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            name: checks.whole_number(name, getattr(self, name)) for name in ("points", "background_points")
        }
        if self.random_state is not None:
            checked["random_state"] = checks.whole_number("random_state", self.random_state)
        if self.box is not None:
            checked["box"] = _checked_box(self.box)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        checks.one_of("choice", self.choice, Choice)
        check_energy(self.energy)
        of_transformers = hasattr(self.model, "get_image_embeddings")
        if not of_transformers and not all(hasattr(self.model, name) for name in ("set_image", "predict")):
            raise UnsupportedTypeError(
                "model must be a SAM model of transformers, or a predictor with set_image and predict; got "
                f"{type(self.model).__name__}. Pass e.g. segment_anything.SamPredictor(model)."
            )
        if of_transformers and not callable(self.processor):
            raise InvalidParameterError(
                f"processor must be that of the model; got {self.processor!r:.80}. Pass "
                "transformers.AutoProcessor.from_pretrained(...), or call SamPredictor.read(folder)."
            )

    @classmethod
    def read(cls, folder: str | os.PathLike, device: str | None = None, **parameters: Any) -> Self:
        """A model and its processor as transformers saves them, from a folder; nothing is downloaded.

        Parameters
        ----------
        folder : str or path
            With config.json, preprocessor_config.json and model.safetensors. Weights in pickles are not read.
        device : str, optional
            Such as "cuda"; by default the CPU.
        **parameters
            Those of `SamPredictor` except model and processor.

        Raises
        ------
        FileFormatError
            If the folder is missing or has no such model.
        InvalidParameterError
            If there is no such device.
        MissingExtraError
            If transformers is not installed.
        """
        path = Path(checks.path("folder", folder))
        library = optional("transformers", "sam", "SamPredictor.read")
        if not (path / "config.json").is_file():
            raise FileFormatError(
                f"a folder with config.json and model.safetensors was expected; {path} has none. Pass the folder to "
                "which model and processor were saved."
            )
        try:
            model = library.AutoModelForMaskGeneration.from_pretrained(
                path, local_files_only=True, use_safetensors=True
            )
            processor = library.AutoProcessor.from_pretrained(path, local_files_only=True)
        except Exception as error:  # a library's own, for files that are damaged
            raise FileFormatError(
                f"a SAM model of transformers was expected in {path}; it cannot be read: {error}. Save model and "
                "processor there with save_pretrained."
            ) from error
        try:
            placed = model.eval() if device is None else model.eval().to(device)
        except Exception as error:
            raise InvalidParameterError(
                f"device must be one that PyTorch can use here; got {device!r:.80} ({error!s:.200}). Leave it out."
            ) from error
        return cls(placed, processor, **parameters)

    def logits_of(self, scene: Scene) -> np.ndarray:
        """The decoder's logits of the mask that is chosen: (h, w) float."""
        points, labels = self._prompt(scene.seeds)
        image = np.round(255 * rgb(scene)).astype(np.uint8)
        answer = _of_transformers if hasattr(self.model, "get_image_embeddings") else _of_a_predictor
        with self._kept.lock:
            found = answer(self, image, points, labels)
        masks, scores = (checks.host_array("the model's answer", part).astype(float) for part in found)
        if masks.ndim != 3 or not masks.size or scores.size != len(masks):
            raise InvalidImageError(
                f"masks (m, h, w) and scores (m,) were expected of the model; got shapes {masks.shape} and "
                f"{scores.shape}. Pass one that gives them."
            )
        scores = np.nan_to_num(scores.ravel(), nan=-1.0)
        if self.choice == "strokes" and scene.seeds.any():  # the model's own scores decide between equals
            scores = 1e-3 * scores + [_agreement(mask, scene.seeds) for mask in masks]
        return cast(np.ndarray, masks[int(np.argmax(scores))])

    def _prompt(self, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 2), row and column, and whether each is on the object: (n,) int."""
        rng = None if self.random_state is None else np.random.default_rng(self.random_state)
        counts = {2: self.points, 1: self.background_points}
        chosen = {label: spread(np.argwhere(seeds == label), count, rng) for label, count in counts.items()}
        if not len(chosen[2]) and self.box is None:
            raise InvalidScribblesError(
                "a point on the object or a box was expected as a prompt; got neither. Draw a stroke on the object, or "
                "pass box."
            )
        labels = [int(label == 2) for label, pixels in chosen.items() for _ in pixels]
        return np.concatenate(list(chosen.values())), np.array(labels, int)


class _Kept:
    """The last image that a model encoded, with its encoding; for one thread at a time."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.image: np.ndarray | None = None
        self.made: Any = None

    def knows(self, image: np.ndarray) -> bool:
        """Whether this is the last image."""
        return self.image is not None and np.array_equal(self.image, image)

    def __reduce__(self) -> tuple[type, tuple]:
        return _Kept, ()


def spread(pixels: np.ndarray, count: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """At most `count` of these pixels ((n, 2) int), far apart from each other, or by chance with a generator."""
    count = min(count, len(pixels))
    if rng is not None or not count:
        return pixels[rng.permutation(len(pixels))[:count]] if rng is not None else pixels[:0]
    chosen = [int(np.square(pixels - pixels.mean(axis=0)).sum(axis=1).argmin())]
    distance = np.full(len(pixels), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, np.square(pixels - pixels[chosen[-1]]).sum(axis=1))
        chosen.append(int(distance.argmax()))
    return pixels[chosen]


def _agreement(mask: np.ndarray, seeds: np.ndarray) -> float:
    """Share of the strokes' pixels whose label a map of logits has, the mean of the labels."""
    rows, columns = (np.arange(n) * side // n for n, side in zip(seeds.shape, mask.shape, strict=True))
    inside = mask[np.ix_(rows, columns)] > 0
    return float(np.mean([(inside[seeds == k] == (k == 2)).mean() for k in (1, 2) if (seeds == k).any()]))


def _of_transformers(
    sam: SamPredictor, image: np.ndarray, points: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Masks (m, h, w) and scores (m,) by a model of transformers."""
    import torch

    model = sam.model
    with torch.inference_mode():
        if not sam._kept.knows(image):
            inputs = sam.processor(images=image, return_tensors="pt")
            pixels = inputs["pixel_values"].to(model.device, model.dtype)
            frame = np.array(pixels.shape[-2:])
            # The image may fill only the upper left part of what the model sees.
            used = np.array(inputs["reshaped_input_sizes"][0].tolist()) if "reshaped_input_sizes" in inputs else frame
            sam._kept.made = model.get_image_embeddings(pixels), used, used / frame
            sam._kept.image = image
        made, used, share = sam._kept.made
        scale = used / image.shape[:2]
        prompt: dict[str, Any] = {}
        if len(points):
            places = points * scale  # SAM itself adds half a pixel
            prompt["input_points"] = torch.tensor(places[None, None, :, ::-1].copy(), dtype=model.dtype)
            prompt["input_labels"] = torch.tensor(labels[None, None])
        if sam.box is not None:
            corners = sam.box.reshape(2, 2) * scale
            prompt["input_boxes"] = torch.tensor(corners[None, None, :, ::-1].reshape(1, 1, 4), dtype=model.dtype)
        prompt = {name: value.to(model.device) for name, value in prompt.items()}
        if isinstance(made, tuple):  # SAM-HQ
            prompt |= {"image_embeddings": made[0], "intermediate_embeddings": made[1]}
        else:
            prompt["image_embeddings"] = made
        found = model(**prompt, multimask_output=True)
    masks, scores = found.pred_masks[0, 0].float().cpu().numpy(), found.iou_scores[0, 0].float().cpu().numpy()
    return _cropped(masks, share), scores


def _of_a_predictor(
    sam: SamPredictor, image: np.ndarray, points: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Masks (m, h, w) and scores (m,) by a predictor of segment_anything or a package like it."""
    model = sam.model
    if not sam._kept.knows(image) or sam._kept.made is not _features(model):  # others may have used it
        model.set_image(image)
        sam._kept.image, sam._kept.made = image, _features(model)
    _, scores, masks = model.predict(
        point_coords=points[:, ::-1].astype(np.float32) if len(points) else None,
        point_labels=labels if len(points) else None,
        box=None if sam.box is None else sam.box.reshape(2, 2)[:, ::-1].ravel(),
        multimask_output=True,
        return_logits=True,
    )
    if not hasattr(model, "input_size"):  # SAM 2 sees the image as a square
        return masks, scores
    return _cropped(masks, np.array(model.input_size) / model.model.image_encoder.img_size), scores


def _features(model: Any) -> Any:
    """A predictor's encoding of its last image, an object of its own for each image."""
    return getattr(model, "features", getattr(model, "_features", None))


def _cropped(masks: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The upper left part of maps ((m, h, w)), `share` of each side, in pixels of about the same size."""
    sides = [(side, max(round(side), 1)) for side in share * masks.shape[1:]]
    where = [(np.arange(count) + 0.5) * side / count - 0.5 for side, count in sides]
    return np.stack([between(mask, where) for mask in masks])


def _checked_box(box: Any) -> np.ndarray:
    """First row, first column, last row, last column: (4,) float."""
    values = checks.host_array("box", box).astype(float)
    if values.shape != (4,) or not np.isfinite(values).all() or (values[2:] < values[:2]).any():
        raise InvalidParameterError(
            f"box must be four numbers, its first row, first column, last row and last column; got {box!r:.80}. Pass "
            "e.g. (10, 20, 110, 90)."
        )
    return values
