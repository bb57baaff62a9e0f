"""CuPy and CUDA for a machine without a GPU: the kernels' text, compiled by g++, launched by the backend's own code.

`FakeCupy` stands in for the module `cupy`. Its arrays are NumPy's behind a wall: like CuPy's they refuse to be mixed
with NumPy's or turned into them without a word, and kernels refuse arguments of a size that C does not expect. So what
the backend tells a device can be tested where none is; how fast it is there cannot.
"""

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import types
import weakref
from pathlib import Path

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from varconvex import get_backend
from varconvex.errors import BackendUnavailableError

COMPILER = shutil.which("g++")
HEADER = Path(__file__).with_name("cuda_on_host.h")


@functools.cache
def no_gpu():
    """Why CuPy cannot compute here, in one sentence, or "" where it can."""
    try:
        get_backend("cupy")
    except BackendUnavailableError as error:
        return str(error)
    return ""


_NUMPYS_OWN = ("ctypes", "getfield", "resize", "setfield", "setflags", "to_device", "newbyteorder")


class DeviceArray(NDArrayOperatorsMixin):
    """An array that lives on the pretended device."""

    def __init__(self, host):
        self.host = host

    def __array__(self, *args, **kwargs):
        raise TypeError("implicit conversion to a NumPy array is not allowed; use .get()")

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if out is not None:
            kwargs["out"] = tuple(map(_host, out))
        return _device(getattr(ufunc, method)(*map(_host, inputs), **kwargs))

    def __array_function__(self, function, _, args, kwargs):
        return _call(function, *args, **kwargs)

    def __getattr__(self, name):
        if name.startswith("__") or name in _NUMPYS_OWN:
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")
        value = getattr(self.host, name)
        return (lambda *args, **kwargs: _call(value, *args, **kwargs)) if callable(value) else value

    def __getitem__(self, key):
        return _device(self.host[_index(key)])

    def __setitem__(self, key, value):
        self.host[_index(key)] = _host(value)

    def __len__(self):
        return len(self.host)

    def __iter__(self):
        return (_device(row) for row in self.host)

    def __float__(self):
        return float(self.host)

    def __int__(self):
        return int(self.host)

    def __bool__(self):
        return bool(self.host)

    @property
    def T(self):
        return DeviceArray(self.host.T)

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self.host.ctypes.data)

    def get(self):
        """In the host's memory."""
        return self.host.copy()

    def set(self, array):
        """From the host's memory."""
        assert isinstance(array, np.ndarray)
        assert (array.shape, array.dtype) == (self.host.shape, self.host.dtype)
        self.host[...] = array


DeviceArray.__module__, DeviceArray.__name__ = "cupy", "ndarray"


class OutOfMemoryError(MemoryError):
    """CuPy's."""


OutOfMemoryError.__module__ = "cupy.cuda.memory"


def _host(value):
    if isinstance(value, DeviceArray):
        return value.host
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, tuple | list):
        return type(value)(_host(item) for item in value)
    return value


def _index(key):
    """As an index CuPy takes NumPy's arrays of integers, too."""
    if isinstance(key, tuple):
        return tuple(map(_index, key))
    return key if isinstance(key, np.ndarray) else _host(key)


def _device(value):
    """Arrays of any dimension and, as with CuPy, also the numbers that NumPy's reductions give."""
    if isinstance(value, np.ndarray | np.generic):
        return DeviceArray(np.asarray(value))
    return type(value)(map(_device, value)) if isinstance(value, tuple | list) else value


def _call(function, *args, **kwargs):
    return _device(function(*map(_host, args), **{name: _host(value) for name, value in kwargs.items()}))


class FakeCupy(types.ModuleType):
    """The module `cupy` with one pretended device; what it lacks is NumPy's."""

    ndarray = DeviceArray

    def __init__(self, folder):
        super().__init__("cupy")
        self.__version__ = "0.0"
        properties = {"name": b"pretended", "major": 0, "minor": 0, "totalGlobalMem": 0, "multiProcessorCount": 1}
        runtime = types.SimpleNamespace(
            getDeviceCount=lambda: 1,
            getDeviceProperties=lambda _: properties,
            driverGetVersion=lambda: 0,
            runtimeGetVersion=lambda: 0,
            deviceSynchronize=lambda: None,
        )
        self.cuda = types.SimpleNamespace(
            runtime=runtime,
            Stream=lambda *, non_blocking: Stream(self),
            get_current_stream=lambda: types.SimpleNamespace(synchronize=lambda: None),
        )
        self.launches = []
        self.captured = None  # launches of a graph that is being recorded
        self.guards = []
        self.memory = None  # bytes that a new array may have at most
        self.folder = folder

    def __getattr__(self, name):
        value = getattr(np, name)
        if isinstance(value, type) or not callable(value):
            return value
        return lambda *args, **kwargs: self._call(value, *args, **kwargs)

    def _call(self, function, *args, **kwargs):
        found = _call(function, *args, **kwargs)
        if self.memory is not None and isinstance(found, DeviceArray) and found.nbytes > self.memory:
            raise OutOfMemoryError(f"Out of memory allocating {found.nbytes} bytes")
        return found

    def asarray(self, array, dtype=None):
        """From anywhere; active_set to the device is a copy."""
        if isinstance(array, DeviceArray):
            return DeviceArray(np.asarray(array.host, dtype))
        return _guarded(np.array(array, dtype), self.guards)

    def take(self, array, indices, axis):
        """By indices from anywhere."""
        return DeviceArray(np.take(array.host, _index(indices), axis=axis))

    def empty(self, shape, dtype=float):
        """Holds NaNs."""
        return _guarded(np.full(shape, 255 if np.dtype(dtype).kind == "u" else np.nan, dtype), self.guards)

    def empty_like(self, array):
        """As big as another."""
        return self.empty(array.shape, array.dtype)

    def asnumpy(self, array):
        """To the host."""
        return _host(array).copy()

    def RawModule(self, *, code, options):
        """Compiled by g++; its kernels are counted in `launches`."""
        return types.SimpleNamespace(get_function=HostModule(code, options, self).get_function)


_GUARD = 4096
"""Bytes before and behind an array that no kernel may write to, and that turn what reads them into NaN."""


def _guarded(array, guards):
    """The array on the pretended device, with guards that are looked at after every launch."""
    room = np.full(array.nbytes + 2 * _GUARD, 0xFF, np.uint8)
    inner = room[_GUARD : _GUARD + array.nbytes].view(array.dtype).reshape(array.shape)
    inner[...] = array
    guards[:] = [guard for guard in guards if guard() is not None] + [weakref.ref(room)]
    return DeviceArray(inner)


def _check_guards(guards, name):
    rooms = [room for guard in guards if (room := guard()) is not None]
    spoilt = any((room[:_GUARD] != 0xFF).any() or (room[-_GUARD:] != 0xFF).any() for room in rooms)
    assert not spoilt, f"{name} wrote beyond the end of an array"


class Stream:
    """Of launches only: what is captured is not done, but kept; its graph does it again and again."""

    def __init__(self, cupy):
        self._cupy = cupy

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._cupy.captured = None

    def begin_capture(self):
        """From now on launches are kept."""
        self._cupy.captured = []

    def end_capture(self):
        """The launches since `begin_capture`."""
        launches, self._cupy.captured = self._cupy.captured, None
        return types.SimpleNamespace(launch=lambda: [launch() for launch in launches])


class HostModule:
    """CUDA source as a shared library for the host."""

    def __init__(self, code, options, cupy):
        found = re.findall(r'extern "C" __global__ void (?:__launch_bounds__\(.*?\) *\\?\s*)?(\w+(?:##)?\w*)\(', code)
        kernels = [name for name in found if name != "name" and "##" not in name]
        kernels += re.findall(r"^TILE\((\w+),", code, re.M)
        for real in re.findall(r"^NETWORK\((\w+)\)", code, re.M):
            kernels += [name.replace("##Real", real) for name in found if "##" in name]
        code = re.sub(r"extern __shared__ (\w+) (\w+)\[\];", r"\1 *\2 = dynamic_shared<\1>();", code)
        text = f'#include "{HEADER.name}"\n{code}\n' + "".join(f"HOST_LAUNCH({name})\n" for name in kernels)
        command = [COMPILER, "-x", "c++", "-O1", "-fPIC", "-shared", "-Wall", "-Werror"]
        command += ["-Wno-unknown-pragmas", "-Wno-unused-function", "-U_FORTIFY_SOURCE", f"-I{HEADER.parent}", *options]
        key = hashlib.sha256("".join([text, HEADER.read_text(), *command]).encode()).hexdigest()[:20]
        library = Path(cupy.folder) / f"{key}.so"
        if not library.exists():
            mine = library.with_suffix(f".{os.getpid()}")
            done = subprocess.run([*command, "-o", mine, "-"], input=text, text=True, capture_output=True)
            assert done.returncode == 0, done.stderr
            mine.replace(library)
        self._library, self._cupy = ctypes.CDLL(library), cupy

    def get_function(self, name):
        """A kernel, called like CuPy's."""
        launch = getattr(self._library, f"launch_{name}")
        launch.restype = ctypes.c_bool

        def kernel(grid, threads, args, *, shared_mem=0):
            if self._cupy.captured is not None:
                self._cupy.captured.append(lambda: kernel(grid, threads, args, shared_mem=shared_mem))
                return
            values = [_argument(arg) for arg in args]
            pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
            self._cupy.launches.append(name)
            assert launch(_Dim3(*_three(grid)), _Dim3(*_three(threads)), ctypes.c_size_t(shared_mem), pointers), (
                f"{name}: some threads of a block ended where others wait"
            )
            _check_guards(self._cupy.guards, name)

        return kernel


class _Dim3(ctypes.Structure):
    _fields_ = tuple((axis, ctypes.c_uint) for axis in "xyz")


def _three(sizes):
    assert len(sizes) <= 3
    assert all(type(size) is int and size > 0 for size in sizes), sizes
    return (*sizes, 1, 1)[:3]


def _argument(arg):
    """A kernel's argument in memory. CuPy passes Python's numbers as 8 bytes, which no kernel here expects."""
    if isinstance(arg, DeviceArray):
        return ctypes.c_void_p(arg.data.ptr)
    if isinstance(arg, np.ndarray) and arg.dtype.names and arg.size == 1:  # a struct
        return ctypes.create_string_buffer(arg.tobytes(), arg.nbytes)
    assert isinstance(arg, np.generic), f"{arg!r} has no size that C would know"
    return ctypes.create_string_buffer(arg.tobytes(), arg.nbytes)
