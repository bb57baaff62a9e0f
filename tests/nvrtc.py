"""NVIDIA's run-time compiler from its wheel, which needs no device and no driver."""

import ctypes
from importlib.metadata import PackageNotFoundError, files

EXTRA = "pip install nvidia-cuda-nvrtc-cu12"
WHEELS = ("nvidia-cuda-nvrtc-cu12", "nvidia-cuda-nvrtc")


def library():
    """The compiler, or None where no wheel of it is installed."""
    for wheel in WHEELS:
        try:
            found = files(wheel) or []
        except PackageNotFoundError:
            continue
        for path in found:
            if path.name.startswith("libnvrtc.so") and path.locate().exists():
                return ctypes.CDLL(path.locate())
    return None


def compile_for(nvrtc, architecture, code, options):
    """Machine code for an architecture such as "sm_90", and what the compiler had to say."""
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), code.encode(), b"varconvex.cu", 0, None, None) == 0
    flags = [option.encode() for option in (f"--gpu-architecture={architecture}", *options)]
    status = nvrtc.nvrtcCompileProgram(program, len(flags), (ctypes.c_char_p * len(flags))(*flags))
    log = _text(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program).decode()
    assert status == 0, log
    binary = _text(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return binary, log


def _text(size_of, fill, program):
    size = ctypes.c_size_t()
    assert size_of(program, ctypes.byref(size)) == 0
    text = ctypes.create_string_buffer(size.value)
    assert fill(program, text) == 0
    return text.raw.rstrip(b"\0") if fill.__name__.endswith("Log") else text.raw
