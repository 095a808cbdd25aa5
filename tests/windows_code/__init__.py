"""Runs the tests of the convolutions with the code that clang makes for Windows, on Linux, for
those who have no Windows at hand. It needs x86-64, a C compiler, and the package ziglang:

    pip install ziglang
    PYTHONPATH=tests python -m windows_code [ARGUMENTS OF PYTEST, which name other tests]

What is compiled is a DLL. `loader.c` takes it into the process of the tests, whose calls go into it
by Windows' rules: of registers, of the stack, of a thread's own storage. Windows itself is not
there, so its loader and its threads are not tried.
"""

import ctypes
import os
from typing import Any

from latentpress.system import c_libraries

LOADER, DLL = "LATENTPRESS_TEST_LOADER", "LATENTPRESS_TEST_DLL"  # variables that name the files
ARGUMENTS = 16  # of `call`


class Function:
    """A function of a DLL, with ctypes' argtypes and restype."""

    def __init__(self, loader: Any, image: int, address: int) -> None:
        self.argtypes: tuple[Any, ...] = ()
        self.restype: Any = ctypes.c_int
        self._loader, self._to = loader, (image, address)

    def __call__(self, *given: Any) -> Any:
        rest = ARGUMENTS - len(self.argtypes)
        kinds = (ctypes.c_void_p, ctypes.c_void_p, *self.argtypes, *[ctypes.c_int64] * rest)
        function = ctypes.CFUNCTYPE(self.restype, *kinds)(("call", self._loader))
        return function(*self._to, *given, *[0] * rest)


class Dll:
    """A DLL whose functions are attributes, as of ctypes.CDLL."""

    def __init__(self, path: str) -> None:
        self._loader = ctypes.CDLL(os.environ[LOADER])
        self._loader.load.restype = self._loader.function.restype = ctypes.c_void_p
        self._loader.function.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
        self._image = self._loader.load(os.fsencode(path))

    def __getattr__(self, name: str) -> Function:
        address = self._loader.function(self._image, name.encode())
        if not address:
            raise AttributeError(name)
        found = Function(self._loader, self._image, address)
        setattr(self, name, found)
        return found


def _load(folder: str, built_of: str) -> Any:
    if folder != "runtimes/native" or not c_libraries.is_wanted():
        return _load_of_linux(folder, built_of)
    found = Dll(os.environ[DLL])
    function = getattr(found, built_of)
    function.restype = ctypes.c_uint32
    assert function() == c_libraries.source_crc(c_libraries.PACKAGE / folder)
    return found


def pytest_report_header() -> str:
    """A line before the tests, as of pytest's hooks."""
    return f"convolutions: {os.environ[DLL]}"


if DLL in os.environ:  # as a plugin of pytest
    _load_of_linux = c_libraries.load
    c_libraries.load = _load
