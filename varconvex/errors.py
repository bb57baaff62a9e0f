"""Exceptions and warnings of the package.

Every message has three parts: what was expected, what was passed, how to correct it.
"""

from typing import Any

import numpy as np


class VarconvexError(Exception):
    """Base class of all exceptions that varconvex raises on purpose."""


class InvalidImageError(VarconvexError, ValueError):
    """An image, mask or cost array has values or a shape that cannot be used."""


class InvalidScribblesError(VarconvexError, ValueError):
    """The scribbles do not define a segmentation problem."""


class ScribbleConflictError(InvalidScribblesError):
    """Scribbles contradict each other, or no set of the requested shape can hold them.

    Attributes
    ----------
    pixels : (n, d) int array
        Indices of the offending pixels, in array order (row, column).
    """

    def __init__(self, message: str, pixels: np.ndarray):
        super().__init__(message)
        self.pixels = pixels

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self.args, self.pixels), self.__dict__


class InvalidParameterError(VarconvexError, ValueError):
    """A parameter has a value outside of its range or choices."""


class UnsupportedTypeError(VarconvexError, TypeError):
    """An array has a data type without intensities: complex, text, objects or dates."""


class UnknownKeywordError(VarconvexError, TypeError):
    """A keyword argument that the function does not have; the message names the nearest one."""


class BackendUnavailableError(VarconvexError, RuntimeError):
    """The requested backend cannot run on this machine; the message says what it needs."""


class NotEnoughMemoryError(MemoryError, VarconvexError):
    """More memory would be needed than there is; the message says how much, and how to do with less."""


class NotEnoughSpaceError(VarconvexError, OSError):
    """A disk cannot hold the files that a computation needs; the message says how much they take."""


class MissingExtraError(VarconvexError, ImportError):
    """An optional package is not installed; the message names the command that installs it."""


class FileFormatError(VarconvexError, ValueError):
    """A file or folder is unreadable, truncated, of another kind, or cannot be written."""


class VarconvexWarning(UserWarning):
    """Base class of all warnings that varconvex raises."""


class ConvergenceWarning(VarconvexWarning):
    """The solver stopped before the tolerance was met; the best answer so far is returned."""


class DataTermWarning(VarconvexWarning):
    """The data term is constant, or was changed to another one than asked for."""


class AxesWarning(DataTermWarning):
    """An array could be a volume or an image with channels; the message says as what it is taken."""


class DeviceMemoryWarning(VarconvexWarning):
    """The GPU ran out of memory and the CPU solved the problem."""


class ShapeWarning(VarconvexWarning):
    """The image gives evidence against an object's shape; the returned object has the shape nevertheless."""


class ScribbleWarning(VarconvexWarning):
    """Scribbles were clipped to the image, or overwritten by a later stroke."""
