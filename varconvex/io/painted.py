"""Strokes that were painted in colours: on a copy of the photograph, on a transparent layer, or on a plain ground."""

from dataclasses import dataclass

import numpy as np

from ..checks import warn_caller
from ..errors import FileFormatError, InvalidParameterError, ScribbleWarning
from ..keywords import known_keywords
from .image_file import ImageFile
from .labels import seen

Colour = tuple[int, int, int]

RED, BLUE = (255, 0, 0), (0, 0, 255)

_TOLERANCE = 60
"""Largest difference of a channel between a stroke and its pen: JPEG blurs the colour of thin strokes."""

_CHANGED = (4, 30, 60)
"""Difference of a channel from which on a pixel counts as painted: of an exact copy; at least and at most of others, of
which it is four times what most pixels differ by."""

_OTHER = 25
"""If most pixels differ by more, it is another photograph."""

_NAMED = 150
"""Largest difference of a channel between a pen and the colour that somebody calls it by."""

_SHARE, _FEWEST = 0.03, 3
"""A pen has at least so many pixels, and this share of all painted ones unless it is one exact colour."""

_MOST_COLOURS = 32

_SOFT = 4
"""Width of a stroke's soft edge in pixels: JPEG blurs colours by blocks."""


@dataclass(frozen=True)
class Pen:
    """A colour of strokes, and how many pixels have it."""

    colour: Colour
    count: int

    def __str__(self) -> str:
        return f"{name_of(self.colour)} ({self.count} pixels)"


@known_keywords
def colour(text: str) -> Colour:
    """Red, green and blue from 0 to 255 of a colour's name or #rrggbb that Pillow knows."""
    from PIL import ImageColor

    try:
        if not isinstance(text, str):
            raise ValueError
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError:
        message = f"a colour must be a name or #rrggbb; got {text!r}. Use e.g. red or #ff0000."
        raise InvalidParameterError(message) from None
    return red, green, blue


def name_of(pen: Colour) -> str:
    """#rrggbb, with the colour's name if it has one."""
    from PIL import ImageColor

    text = "#" + bytes(pen).hex()
    names = [name for name in ImageColor.colormap if ImageColor.getrgb(name)[:3] == pen]
    return f"{text} ({names[0]})" if names else text


@dataclass(frozen=True, eq=False)
class Strokes:
    """Painted pixels.

    Attributes
    ----------
    colours : (*spatial, 3) uint8
    where : (*spatial,) bool
        The painted ones.
    below : (*spatial, 3) array or None
        What they were painted on, as far as it is known.
    """

    colours: np.ndarray
    where: np.ndarray
    below: np.ndarray | None

    def pens(self) -> list[Pen]:
        """The pens that were used, the most used one first; soft edges of a pen's strokes are none."""
        kept: list[tuple[Pen, np.ndarray]] = []
        for pen, own in sorted(self._clusters(), key=lambda pair: -self._strength(pair[1])):
            stronger = np.concatenate([numbers for _, numbers in kept]) if kept else own[:0]
            edge = self._beside(own, stronger) and (not self._flat(pen, own) or self._mixed(own, kept))
            if not edge:
                kept.append((pen, own))
        if len(kept) > 2:  # what compression and few colours leave of a photograph is weak, or of many shades
            kept = [pair for k, pair in enumerate(kept) if k < 2 or self._plain(*pair, kept[1][1])]
        return sorted((pen for pen, _ in kept), key=lambda pen: -pen.count)

    def _clusters(self) -> list[tuple[Pen, np.ndarray]]:
        """Colours that are frequent among painted pixels, or exactly the same in a few, and the numbers of these."""
        values = self.colours[self.where].astype(np.int64)
        rest, found = np.arange(len(values)), []
        for _ in range(_MOST_COLOURS):
            if len(rest) < _FEWEST:
                break
            codes = values[rest] // 16 @ [256, 16, 1]
            bins, counts = np.unique(codes, return_counts=True)
            centre = np.rint(np.median(values[rest[codes == bins[counts.argmax()]]], axis=0)).astype(np.int64)
            near = np.abs(values[rest] - centre).max(axis=1) <= _TOLERANCE
            pen, own = Pen((int(centre[0]), int(centre[1]), int(centre[2])), int(near.sum())), rest[near]
            rest = rest[~near]
            if pen.count >= _FEWEST and (pen.count >= _SHARE * len(values) or self._flat(pen, own)):
                found.append((pen, own))
        return found

    def _flat(self, pen: Pen, own: np.ndarray) -> bool:
        """Whether nearly all of some painted pixels have exactly the pen's colour."""
        away = np.abs(self.colours[self.where][own].astype(np.int64) - pen.colour).max(axis=1)
        return bool(np.mean(away <= 2) > 0.9)

    def _mixed(self, own: np.ndarray, pens: list[tuple[Pen, np.ndarray]]) -> bool:
        """Whether pixels are mixtures of one of the pens with what is below."""
        if self.below is None:
            return False
        made, below = (np.median(array[self.where][own], axis=0) for array in (self.colours, self.below))
        ways = np.array([pen.colour for pen, _ in pens]) - below
        shares = np.clip(ways @ (made - below) / np.maximum((ways**2).sum(axis=1), 1), 0, 1)
        return bool((np.abs(made - below - shares[:, None] * ways).max(axis=1) <= _TOLERANCE / 3).any())

    def near(self, wanted: Colour) -> Pen | None:
        """A pen of this very colour, if some painted pixels have it."""
        values = self.colours[self.where].astype(np.int64)
        count = int((np.abs(values - wanted).max(axis=1) <= _TOLERANCE).sum())
        return Pen(wanted, count) if count >= _FEWEST else None

    def _plain(self, pen: Pen, own: np.ndarray, strong: np.ndarray) -> bool:
        """Whether pixels have the pen's colour nearly exactly, and differ from what is below as `strong` ones do."""
        values = self.colours[self.where][own].astype(np.int64)
        sharp = np.mean(np.abs(values - pen.colour).max(axis=1) <= _TOLERANCE / 4) > 0.5
        return bool(sharp) and (self.below is None or self._strength(own) > 0.5 * self._strength(strong))

    def _strength(self, own: np.ndarray) -> float:
        """How much painted pixels, given by their numbers, differ from what is below; if that is unknown, how many."""
        if self.below is None:
            return float(len(own))
        values, below = (array[self.where][own].astype(np.int64) for array in (self.colours, self.below))
        return float(np.abs(values - below).max(axis=1).mean())

    def _beside(self, own: np.ndarray, others: np.ndarray) -> bool:
        """Whether nearly all of some painted pixels are at the edges of others."""
        if not len(others):
            return False
        from scipy.ndimage import binary_dilation

        masks = np.zeros((2, *self.where.shape), bool)
        for mask, numbers in zip(masks, (own, others), strict=True):
            mask.ravel()[np.flatnonzero(self.where)[numbers]] = True
        grown = binary_dilation(masks[1], np.ones((3,) * self.where.ndim, bool), iterations=_SOFT)
        return bool((masks[0] & grown).sum() > 0.9 * len(own))

    def numbers(self, chosen: list[Pen]) -> np.ndarray:
        """Number of the chosen pen, from 1 on, at each pixel: (*spatial) int64; 0 where none has been, or another."""
        values = self.colours[self.where].astype(np.int64)
        distances = np.stack([np.abs(values - pen.colour).max(axis=1) for pen in chosen])
        labels = np.zeros(self.where.shape, np.int64)
        labels[self.where] = np.where(distances.min(axis=0) <= _TOLERANCE, distances.argmin(axis=0) + 1, 0)
        return labels


def strokes(file: ImageFile, photograph: np.ndarray, ndim: int) -> Strokes:
    """The painted pixels of a picture in colours, for a photograph of `ndim` spatial axes.

    On a layer that is what is not transparent, on a copy of the photograph what differs from it, on a plain ground what
    differs from that. A FileFormatError if it is none of these.
    """
    colours = _eight_bits(file.array)
    if photograph.shape[:ndim] != file.shape:
        raise FileFormatError(
            f"strokes must be painted on a copy of the photograph, {photograph.shape[:ndim]} pixels; {file.path} has "
            f"{file.shape}. Export it at the photograph's size."
        )
    if file.alpha is not None and (file.alpha == 0).any():
        return Strokes(colours, seen(file), None)
    options = [Strokes(colours, _differs(colours, shown), shown) for shown in _as_shown(photograph, ndim)]
    if photograph.ndim == ndim:  # whatever its contrast was, a copy of a grey photograph is grey
        options.append(Strokes(colours, np.ptp(colours, axis=-1) > _CHANGED[1], None))
    ground = np.broadcast_to(_ground(colours), colours.shape)
    on_ground = Strokes(colours, _differs(colours, ground), ground)
    copy = next((option for option in options if option.where.mean() <= 0.5), on_ground)
    best = min(copy, on_ground, key=lambda option: option.where.mean())
    if best.where.mean() <= 0.5:
        return best
    raise FileFormatError(
        "strokes must be painted on a copy of the photograph, on a transparent layer or on a plain ground; of "
        f"{file.path} {best.where.mean():.0%} of the pixels differ from the photograph, "
        "and it has no ground. Is it another photograph's?"
    )


def choose(strokes: Strokes, path: str, object_colour: Colour | None, background_colour: Colour | None) -> list[Pen]:
    """The object's and the background's pen of strokes; a FileFormatError that says what was found.

    A named colour is the nearest pen. If one is named and there are two pens, the other one is the other part's. If
    none is named, red is the object's and blue the background's, with a warning: others paint the other way round.
    """
    found = strokes.pens()
    if not found:
        raise FileFormatError(
            f"strokes were looked for where {path} differs from the photograph; the pens found in it are: none. Is it "
            "the photograph itself?"
        )
    named = {"object": object_colour, "background": background_colour}
    told = ", ".join(map(str, found))
    chosen = {
        part: _nearest(found, wanted) or strokes.near(wanted) for part, wanted in named.items() if wanted is not None
    }
    for part, pen in chosen.items():
        if pen is None:
            wanted = named[part] or RED
            raise FileFormatError(
                f"strokes of the {part} were looked for in {name_of(wanted)}; the pens found in {path} are: {told}. "
                f"Name the one that is meant: {part}_colour."
            )
    if len(chosen) == 2:
        first, second = chosen["object"], chosen["background"]
        if first == second and _apart(object_colour or RED, background_colour or BLUE) > _TOLERANCE:
            first, second = strokes.near(object_colour or RED), strokes.near(background_colour or BLUE)
        if first is None or second is None or first == second:
            raise FileFormatError(
                f"strokes of two pens were looked for, {name_of(object_colour or RED)} and "
                f"{name_of(background_colour or BLUE)}; both are nearest to the same one of those found in {path}: "
                f"{told}. Name the colours as they were painted."
            )
        return [first, second]
    if len(chosen) == 1:
        (part, one), others = next(iter(chosen.items())), [pen for pen in found if pen not in chosen.values()]
        if one is None or len(others) != 1:
            other = "background" if part == "object" else "object"
            raise FileFormatError(
                f"one more pen was looked for beside the {part}'s; the pens found in {path} are: {told}. Name the "
                f"{other}'s: {other}_colour."
            )
        return [one, others[0]] if part == "object" else [others[0], one]
    red, blue = _of_hue(found, 0), _of_hue(found, 2)
    if len(found) != 2 or red is None or blue is None:
        raise FileFormatError(
            f"strokes of two pens were looked for, of the object and of the background; the pens found in {path} are: "
            f"{told}. Say which is which: object_colour and background_colour."
        )
    warn_caller(
        f"it should be said which pen marks the object; {path} has {red} and {blue}, of which the red one is taken for "
        "the object. Pass object_colour='red' to agree, or 'blue'.",
        ScribbleWarning,
    )
    return [red, blue]


def holds(palette: np.ndarray, channel: int) -> int | None:
    """Number of the only colour of a palette ((n, 3) uint8) that is nearly pure in a channel; None without one."""
    options = [Pen((int(r), int(g), int(b)), k) for k, (r, g, b) in enumerate(palette)]
    pen = _of_hue(options, channel)
    return None if pen is None else pen.count


def _nearest(found: list[Pen], wanted: Colour) -> Pen | None:
    """The pen that somebody means by a colour; None if none is near, or two are."""
    away = [_apart(pen.colour, wanted) for pen in found]
    order = np.argsort(away, kind="stable")
    if not found or away[order[0]] > _NAMED:
        return None
    if away[order[0]] > _TOLERANCE and len(found) > 1 and away[order[1]] < 1.3 * away[order[0]]:
        return None
    return found[order[0]]


def _apart(first: Colour, second: Colour) -> int:
    return int(np.abs(np.subtract(first, second)).max())


def _of_hue(found: list[Pen], channel: int) -> Pen | None:
    """The only pen that is nearly pure in a channel, or None."""
    pure = [pen for pen in found if pen.colour[channel] - max(np.delete(pen.colour, channel)) > 80]
    return pure[0] if len(pure) == 1 else None


def _differs(colours: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where colours differ from others by more than most pixels do; everywhere if most differ by much."""
    away = np.abs(colours.astype(np.int16) - other.astype(np.int16)).max(axis=-1)
    noise = float(np.percentile(away, 60))
    if noise > _OTHER:
        return np.ones(away.shape, bool)
    return away > (np.clip(4 * noise, *_CHANGED[1:]) if noise else _CHANGED[0])


def _ground(colours: np.ndarray) -> np.ndarray:
    """The most frequent colour."""
    codes = colours.reshape(-1, 3).astype(np.int64) @ [65536, 256, 1]
    values, counts = np.unique(codes, return_counts=True)
    return np.frombuffer(int(values[counts.argmax()]).to_bytes(3, "big"), np.uint8)


def _eight_bits(array: np.ndarray) -> np.ndarray:
    """Colours of 16 bits or floats from 0 to 1 as uint8, as a paint program shows them."""
    if array.shape[-1] < 3:
        array = array[..., :1].repeat(3, axis=-1)
    array = array[..., :3]
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind in "iu":
        return np.clip(array / (np.iinfo(array.dtype).max / 255), 0, 255).astype(np.uint8)
    return np.clip(np.rint(array * 255), 0, 255).astype(np.uint8)


def _as_shown(photograph: np.ndarray, ndim: int) -> list[np.ndarray]:
    """The photograph as a program may have shown it that made a copy of 8 bits: (*spatial, 3) uint8 each."""
    grey = photograph.ndim == ndim
    if not grey and photograph.shape[-1] not in (1, 3, 4):
        return []
    image = (photograph[..., None] if grey else photograph)[..., :3]
    if image.dtype == np.uint8:
        return [_eight_bits(image)]
    low, high = float(np.nanmin(image)), float(np.nanmax(image))
    stretched = np.clip(np.nan_to_num((image - low) / max(high - low, 1e-300)), 0, 1)
    known = [_eight_bits(image)] if image.dtype.kind in "iu" or (low >= 0 and high <= 1) else []
    return [*known, _eight_bits(stretched)]
