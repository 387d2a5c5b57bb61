"""Weights of other systems to and from ours: views wherever memory allows, NumPy alone.

    ours                (O, C/groups, *kernel); local: (*out, O, C/groups, *kernel), b (*out, O)
    PyTorch             (O, C/groups, *kernel): the same, nothing to convert
    Keras, JAX          (*kernel, C/groups, O): `from_hwio`, `to_hwio`
    Keras 2, local      (prod(out), taps, O): `from_keras_local`, `to_keras_local`
    JAX, Flax, local    (*out, taps, O): `from_jax_local`, `to_jax_local`

Local kernels flatten a patch into one axis of taps.  JAX and Flax have the channel outermost,
(C, *kernel), as has Keras 2 with "channels_first"; with "channels_last" it is innermost,
(*kernel, C).  Images of channels-last systems need no converter:
`x_nhwc.transpose(0, 3, 1, 2)` is a view that every verb takes at full speed.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .geometry import Ints, as_shape, per_axis

__all__ = ["from_hwio", "from_jax_local", "from_keras_local", "to_hwio", "to_jax_local",
           "to_keras_local"]

Array: TypeAlias = "npt.NDArray[Any]"

FIRST, LAST = "channels_first", "channels_last"


def from_hwio(kernel: Any) -> Array:
    """A kernel (*kernel, C/groups, O) of Keras, TensorFlow or JAX ("HWIO") as w of `conv`.

    Returns
    -------
    w : (O, C/groups, *kernel), a view.

    Examples
    --------
    >>> import numpy as np
    >>> from_hwio(np.zeros((5, 3, 2, 8))).shape
    (8, 2, 5, 3)
    """
    kernel = _conv_array("from_hwio", "kernel", kernel, "(*kernel, C/groups, O)")
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def to_hwio(w: Any) -> Array:
    """w (O, C/groups, *kernel) of `conv` as a kernel (*kernel, C/groups, O), a view.

    Examples
    --------
    >>> import numpy as np
    >>> to_hwio(np.zeros((8, 2, 5, 3))).shape
    (5, 3, 2, 8)
    """
    return np.moveaxis(_conv_array("to_hwio", "w", w, "(O, C/groups, *kernel)"), (0, 1), (-1, -2))


def from_keras_local(kernel: Any, bias: Any = None, *, in_channels: int, kernel_size: Ints,
                     out_size: Ints, data_format: str = LAST) -> tuple[Array, Array | None]:
    """Weights of Keras 2's `LocallyConnected1D` or `2D` as w and b of `local_conv`.

    Parameters
    ----------
    kernel : (prod(out), prod(kernel) * C, O), as `layer.get_weights()` has it for
        `implementation=1`, the default.
    bias : (*out, O), optional.
    in_channels : C.
    kernel_size : the kernel's size, one int per spatial axis.
    out_size : the output's size, one int per spatial axis.
    data_format : "channels_last" or "channels_first", as the layer had it.

    Returns
    -------
    w : (*out, O, C, *kernel), a view.
    b : (*out, O), a view, or None.

    Notes
    -----
    With "channels_first" Keras 2 adds the *memory* of bias as (O, *out), whatever its shape says;
    b is what it adds.

    Examples
    --------
    >>> import numpy as np
    >>> w, b = from_keras_local(np.zeros((36, 27, 8)), np.zeros((6, 6, 8)), in_channels=3,
    ...                         kernel_size=(3, 3), out_size=(6, 6))
    >>> w.shape, b.shape
    ((6, 6, 8, 3, 3, 3), (6, 6, 8))
    """
    verb = "from_keras_local"
    out = _sizes(verb, "out_size", out_size)
    taps = _taps(verb, in_channels, kernel_size, len(out), data_format)
    kernel = np.asarray(kernel)
    _require(verb, "kernel", kernel, (math.prod(out), math.prod(taps), -1))
    patches = kernel.reshape(*out, *taps, kernel.shape[-1])
    w, b = _filters_first(patches, len(out), data_format), _bias(verb, "bias", bias, out, kernel)
    return w, b if b is None or data_format == LAST else np.moveaxis(b.reshape(-1, *out), 0, -1)


def to_keras_local(w: Any, b: Any = None, *,
                   data_format: str = LAST) -> tuple[Array, Array | None]:
    """w and b of `local_conv` as kernel and bias of Keras 2's `LocallyConnected1D` or `2D`.

    The inverse of `from_keras_local`: a view if w came from there, else a copy.

    Examples
    --------
    >>> import numpy as np
    >>> kernel, _ = to_keras_local(np.zeros((6, 6, 8, 3, 3, 3)))
    >>> kernel.shape
    (36, 27, 8)
    """
    verb = "to_keras_local"
    kernel = _filters_last(verb, w, _known_format(verb, data_format))
    out = kernel.shape[:-2]
    bias = _bias(verb, "b", b, out, kernel)
    if bias is not None and data_format == FIRST:
        bias = np.moveaxis(bias, -1, 0).reshape(bias.shape)
    return kernel.reshape(math.prod(out), *kernel.shape[-2:]), bias


def from_jax_local(kernel: Any, bias: Any = None, *, in_channels: int,
                   kernel_size: Ints) -> tuple[Array, Array | None]:
    """Weights of `flax.linen.ConvLocal` or `jax.lax.conv_general_dilated_local` for `local_conv`.

    Parameters
    ----------
    kernel : (*out, C * prod(kernel), O), the layout of dimension numbers "HWIO" and of Flax.
    bias : (*out, O), optional, as Flax has it.
    in_channels : C.
    kernel_size : `filter_shape`, one int per spatial axis.

    Returns
    -------
    w : (*out, O, C, *kernel), a view.
    b : (*out, O), the bias itself, or None.

    Examples
    --------
    >>> import numpy as np
    >>> w, b = from_jax_local(np.zeros((6, 6, 27, 8)), in_channels=3, kernel_size=(3, 3))
    >>> w.shape
    (6, 6, 8, 3, 3, 3)
    """
    verb, kernel = "from_jax_local", np.asarray(kernel)
    rank = kernel.ndim - 2
    if not 1 <= rank <= 3:
        raise ValueError(f"{verb}: kernel must be (*out, C * prod(kernel), O) with 1, 2 or 3 "
                         f"spatial axes, got kernel.shape = {kernel.shape}")
    out, outs = kernel.shape[:rank], kernel.shape[-1]
    taps = _taps(verb, in_channels, kernel_size, rank, FIRST)
    _require(verb, "kernel", kernel, (*out, math.prod(taps), outs))
    w = _filters_first(kernel.reshape(*out, *taps, outs), rank, FIRST)
    return w, _bias(verb, "bias", bias, out, kernel)


def to_jax_local(w: Any, b: Any = None) -> tuple[Array, Array | None]:
    """w and b of `local_conv` as JAX and Flax have them: kernel (*out, C * prod(kernel), O).

    The inverse of `from_jax_local`: a view if w came from there, else a copy.

    Examples
    --------
    >>> import numpy as np
    >>> to_jax_local(np.zeros((6, 6, 8, 3, 3, 3)))[0].shape
    (6, 6, 27, 8)
    """
    kernel = _filters_last("to_jax_local", w, FIRST)
    return kernel, _bias("to_jax_local", "b", b, kernel.shape[:-2], kernel)


def _filters_first(patches: Array, rank: int, data_format: str) -> Array:
    """(*out, *taps, O) as (*out, O, C, *kernel)."""
    if data_format == LAST:
        patches = np.moveaxis(patches, -2, rank)  # C in front of the kernel
    return np.moveaxis(patches, -1, rank)


def _filters_last(verb: str, w: Any, data_format: str) -> Array:
    """w (*out, O, C, *kernel) as (*out, taps, O)."""
    w = np.asarray(w)
    if w.ndim not in (4, 6, 8):
        raise ValueError(f"{verb}: w must be (*out, O, C, *kernel) with 1, 2 or 3 spatial axes, "
                         f"got w.shape = {w.shape}")
    rank = w.ndim // 2 - 1
    patches: Array = np.moveaxis(w, rank, -1)  # (*out, C, *kernel, O)
    if data_format == LAST:
        patches = np.moveaxis(patches, rank, -2)
    return patches.reshape(*w.shape[:rank], math.prod(w.shape[rank + 1:]), w.shape[rank])


def _bias(verb: str, name: str, bias: Any, out: tuple[int, ...], kernel: Array) -> Array | None:
    if bias is None:
        return None
    array: Array = np.asarray(bias)
    _require(verb, name, array, (*out, kernel.shape[-1]))
    return array


def _sizes(verb: str, name: str, value: Ints) -> tuple[int, ...]:
    sizes = as_shape(verb, name, (value,) if isinstance(value, int) else value)
    if not 1 <= len(sizes) <= 3:
        raise ValueError(f"{verb}: {name} must have one int for each of 1, 2 or 3 spatial axes, "
                         f"got {value!r}")
    return sizes


def _known_format(verb: str, data_format: str) -> str:
    if data_format not in (FIRST, LAST):
        raise ValueError(f"{verb}: data_format must be {LAST!r} or {FIRST!r}, got {data_format!r}")
    return data_format


def _taps(verb: str, in_channels: int, kernel_size: Ints, rank: int,
          data_format: str) -> tuple[int, ...]:
    """The axes that a flattened patch has, in their order."""
    kernel = per_axis(verb, "kernel_size", kernel_size, rank, 1)
    (channels,) = per_axis(verb, "in_channels", in_channels, 1, 1)
    first = _known_format(verb, data_format) == FIRST
    return (channels, *kernel) if first else (*kernel, channels)


def _require(verb: str, name: str, array: Array, shape: tuple[int, ...]) -> None:
    """-1 in `shape` stands for any size."""
    if array.ndim != len(shape) or any(n not in (-1, m)
                                       for n, m in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("O" if n == -1 else str(n) for n in shape)
        raise ValueError(f"{verb}: {name} must have shape ({wanted}) here, "
                         f"got {name}.shape = {array.shape}")


def _conv_array(verb: str, name: str, value: Any, axes: str) -> Array:
    array = np.asarray(value)
    if not 3 <= array.ndim <= 5:
        raise ValueError(f"{verb}: {name} must be {axes} with 1, 2 or 3 spatial axes, "
                         f"got {name}.shape = {array.shape}")
    return array

