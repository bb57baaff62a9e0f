"""The version of the installed distribution."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("varconvex")
except PackageNotFoundError:  # a source tree or zip file that was never installed
    __version__ = "0+unknown"
