"""What can go wrong, by name.

Every message has three parts: what was expected, what came, what to do about it.
"""


class VarconvexError(Exception):
    """The base of everything that varconvex raises on purpose."""


class InvalidImageError(VarconvexError, ValueError):
    """The image (or mask, or cost) has values or a shape that cannot be worked with."""


class InvalidScribblesError(VarconvexError, ValueError):
    """The scribbles do not describe a segmentation problem."""


class ScribbleConflictError(InvalidScribblesError):
    """Two scribbles ask for what cannot be had together.

    Attributes
    ----------
    pixels : (n, d) int array
        Indices of the offending pixels, in array order (row, column).
    """

    def __init__(self, message, pixels):
        super().__init__(message)
        self.pixels = pixels


class InvalidParameterError(VarconvexError, ValueError):
    """A parameter is outside what it may be."""


class UnsupportedTypeError(VarconvexError, TypeError):
    """The data are of a kind that holds no intensities (complex, text, objects, dates)."""


class UnknownKeywordError(VarconvexError, TypeError):
    """A keyword that no function of this name takes; the message names the nearest one."""


class BackendUnavailableError(VarconvexError, RuntimeError):
    """The backend asked for cannot run here; the message says what would make it run."""


class MissingExtraError(VarconvexError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


class FileFormatError(VarconvexError, ValueError):
    """A file is not what its place calls for: unreadable, truncated, or of another kind."""


class VarconvexWarning(UserWarning):
    """The base of every warning of varconvex."""


class ConvergenceWarning(VarconvexWarning):
    """The solver stopped before the tolerance was met; the best answer so far is returned."""


class DataTermWarning(VarconvexWarning):
    """The data term says nothing, or its choice had to be changed."""


class DeviceMemoryWarning(VarconvexWarning):
    """A GPU's memory did not suffice; the CPU solved the problem instead."""


class ShapeWarning(VarconvexWarning):
    """The image speaks against the shape that an object was said to have; the answer keeps it nevertheless."""


class ScribbleWarning(VarconvexWarning):
    """Scribbles were clipped, or overwritten by a later stroke."""
