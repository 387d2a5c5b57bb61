"""Parameters to and from a file, as .npz and without pickle."""

from __future__ import annotations

import contextlib
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, Any, TypeAlias

import numpy as np

from .base import Array, Layer

Path: TypeAlias = "str | os.PathLike[str]"


@contextlib.contextmanager
def whole_file(path: Path, mode: str, encoding: str | None = None) -> Iterator[IO[Any]]:
    """A file to write under another name beside `path`: at the end it is renamed, after an error
    removed."""
    temporary = f"{os.fspath(path)}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, mode, encoding=encoding) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def save(layer: Layer, path: Path) -> None:
    """Write the parameters to `path` as an .npz file that `numpy.load` reads too.

    The file appears whole or not at all: it is written under another name beside `path`, then
    renamed.  Equal parameters give equal bytes.
    """
    with whole_file(path, "xb") as file, zipfile.ZipFile(file, "w") as archive:
        for name, p in layer.params.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, p, allow_pickle=False)


def load(layer: Layer, path: Path) -> None:
    """Read the parameters that `save` wrote into the arrays of `layer`.

    Names, shapes and dtypes must be those of the layer.  Any other content is a ValueError and
    leaves the layer as it was; nothing in the file is ever executed.
    """
    params = layer.params
    with open(path, "rb") as file:
        try:
            stored = _read(file, params)
        except Exception as error:  # a damaged archive can fail in any way
            raise ValueError(f"load: {os.fspath(path)} does not hold the parameters of {layer!r}: "
                             f"{error}") from error
    for name, p in params.items():
        np.copyto(p, stored[name])


def _read(file: IO[bytes], params: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of an .npz file if they are like `params`; headers are checked before data."""
    stored = {}
    with zipfile.ZipFile(file) as archive:
        names = sorted(name.removesuffix(".npy") for name in archive.namelist())
        if names != sorted(params):
            raise ValueError(f"it has {names}, expected {sorted(params)}")
        for name, p in params.items():
            with archive.open(f"{name}.npy") as member:
                np.lib.format.read_magic(member)
                shape, _, dtype = np.lib.format.read_array_header_1_0(member)
            if shape != p.shape or dtype != p.dtype:
                raise ValueError(f"{name!r} has shape {shape} and dtype {dtype}, "
                                 f"expected {p.shape} and {p.dtype}")
            with archive.open(f"{name}.npy") as member:
                stored[name] = np.lib.format.read_array(member, allow_pickle=False)
    return stored
