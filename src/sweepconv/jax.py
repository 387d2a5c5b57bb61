"""The verbs as functions of JAX arrays, `import sweepconv.jax as scj`: nothing else imports JAX.

    y = local_conv(x, w, b, padding=1)      works under jax.jit, jax.grad and jax.vmap

Three functions call the verbs of NumPy out of compiled code (`jax.pure_callback`).  Each has the
other two as its gradient, so gradients of any order in reverse mode are these three again:

    result          gradient of the first     gradient of the second
    y of (x, w)     dx = input_grad(g, w)     dw = weight_grad(x, g)
    dx of (dy, w)   ddy = sweep(g, w)         dw = weight_grad(g, dy)
    dw of (x, dy)   dx = input_grad(dy, g)    ddy = sweep(x, g)

float32, and float64 where JAX has it enabled.  `jax.vmap` makes one call for each element.
Arguments are named as in NumPy's verbs.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias, TypedDict, Unpack

import numpy as np

try:
    import jax
    import jax.numpy as jnp
except ImportError as _error:
    raise ImportError("sweepconv.jax needs JAX: pip install jax") from _error

from ._adapters import VERBS, How
from .geometry import Family, Ints, Padding, geometry

__all__ = ["conv", "local_conv", "low_rank_local", "tiled_conv"]

Array: TypeAlias = Any  # a jax.Array, or what stands for one while JAX traces
Shape: TypeAlias = "tuple[int, ...]"


class Geometry(TypedDict, total=False):
    """Keywords of every function here; see `conv`."""

    stride: Ints
    padding: Padding
    dilation: Ints
    groups: int
    padding_mode: str


def conv(x: Any, w: Any, b: Any = None, **keywords: Unpack[Geometry]) -> Array:
    """Convolution, as `sweepconv.conv` has it.

    Parameters
    ----------
    x : (N, C, *spatial) with 1, 2 or 3 spatial axes, float32 or float64.
    w : (O, C/groups, *kernel).
    b : (O,), optional.
    **keywords : stride, padding, dilation, groups and padding_mode, as in `sweepconv.conv`.

    Returns
    -------
    y : (N, O, *out).

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> x, w = jnp.arange(5.0).reshape(1, 1, 5), jnp.array([[[1.0, 0.0, -1.0]]])
    >>> conv(x, w)
    Array([[[-2., -2., -2.]]], dtype=float32)
    >>> jax.jit(jax.grad(lambda w: conv(x, w).sum()))(w)
    Array([[[3., 6., 9.]]], dtype=float32)
    """
    return _family("conv", "conv", x, w, b, keywords)


def tiled_conv(x: Any, w: Any, b: Any = None, **keywords: Unpack[Geometry]) -> Array:
    """Tile sharing: position p uses filter p mod period.

    w is (*period, O, C/groups, *kernel) and b (*period, O); the rest as in `conv`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> tiled_conv(jnp.ones((1, 1, 4)), jnp.array([1.0, 10.0]).reshape(2, 1, 1, 1))
    Array([[[ 1., 10.,  1., 10.]]], dtype=float32)
    """
    return _family("tiled_conv", "tiled", x, w, b, keywords)


def local_conv(x: Any, w: Any, b: Any = None, **keywords: Unpack[Geometry]) -> Array:
    """Locally connected: each output position has its own filter.

    w is (*out, O, C/groups, *kernel) and b (*out, O); the rest as in `conv`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> local_conv(jnp.ones((1, 1, 3)), jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1, 1))
    Array([[[1., 2., 3.]]], dtype=float32)
    """
    return _family("local_conv", "local", x, w, b, keywords)


def low_rank_local(x: Any, w: Any, mix: Any, b: Any = None, **keywords: Unpack[Geometry]) -> Array:
    """A local bank of low rank: each position has its own mixture of a few shared filters.

        y[n, o, p] = b[o] + sum over r of mix[p, r] * conv(x, w[r])[n, o, p]

    w is (R, O, C/groups, *kernel), mix (*out, R) and b (O,); the rest as in `conv`.  After Elsayed,
    Ramachandran, Shlens and Kornblith (2020), arXiv 2002.02959.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> mix = jnp.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    >>> low_rank_local(jnp.ones((1, 1, 3)), jnp.array([2.0, 4.0]).reshape(2, 1, 1, 1), mix)
    Array([[[2., 3., 4.]]], dtype=float32)
    """
    x, w, mix = map(jnp.asarray, (x, w, mix))
    if w.ndim != x.ndim + 1 or mix.ndim != x.ndim - 1 or mix.shape[-1] != w.shape[0]:
        raise ValueError("low_rank_local: w must be (R, O, C/groups, *kernel) and mix (*out, R) "
                         f"for x.shape = {x.shape}, got w.shape = {w.shape}, "
                         f"mix.shape = {mix.shape}")
    rank, outs, *filters = w.shape
    groups = keywords.get("groups", 1)
    # The filters of a group must stand together: (groups, R, O/groups, C/groups, *kernel).
    grouped = w.reshape(rank, groups, -1, *filters).swapaxes(0, 1)
    parts = conv(x, grouped.reshape(-1, *filters), **keywords)  # (N, groups * R * O/groups, *out)
    if parts.shape[2:] != mix.shape[:-1]:
        raise ValueError(f"low_rank_local: mix must be (*out, R) with out = {parts.shape[2:]}, "
                         f"got mix.shape = {mix.shape}")
    parts = parts.reshape(len(x), *grouped.shape[:3], *parts.shape[2:])
    y = (parts * jnp.moveaxis(mix, -1, 0)[:, None]).sum(2)  # (N, groups, O/groups, *out)
    y = y.reshape(len(x), outs, *y.shape[3:])
    return y if b is None else y + _along_channels("low_rank_local", b, (outs,), y)


def _family(name: str, family: Family, x: Any, w: Any, b: Any, keywords: Geometry) -> Array:
    x, w = jnp.asarray(x), jnp.asarray(w)
    for what, a in (("x", x), ("w", w)):
        if a.dtype not in (jnp.float32, jnp.float64) or a.dtype != x.dtype:
            raise TypeError(f"{name}: {what} must be float32 or float64 as x is, got {a.dtype} "
                            f"for x of {x.dtype}")
    how = How.of(name, family, x.ndim - 2, **keywords)
    y = _sweep(x, w, how)
    return y if b is None else y + _along_channels(name, b, w.shape[:-(x.ndim - 1)], y)


def _along_channels(name: str, b: Any, b_shape: Shape, y: Array) -> Array:
    """b (*bank, O) as (O, *out), to be added to y (N, O, *out)."""
    b = jnp.asarray(b)
    if b.shape != b_shape:
        raise ValueError(f"{name}: b must have shape {b_shape}, got b.shape = {b.shape}")
    if b.ndim == 1:
        return b.reshape(-1, *(1,) * (y.ndim - 2))
    places = (np.arange(n) % period for n, period in zip(y.shape[2:], b_shape, strict=False))
    return jnp.moveaxis(b[np.ix_(*places)], -1, 0)


def _call(verb: int, shape: Shape, how: How, first: Array, second: Array, *like: Shape) -> Array:
    """One of the three verbs of a family on the host; `like` is the shape of a gradient."""

    def on_host(first: Any, second: Any) -> Any:
        run = VERBS[how.family][verb]
        return run(np.asarray(first), np.asarray(second), *like, **how.keywords)

    result = jax.ShapeDtypeStruct(shape, first.dtype)
    return jax.pure_callback(on_host, result, first, second, vmap_method="sequential")


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _sweep(x: Array, w: Array, how: How) -> Array:
    verb = VERBS[how.family][0].__name__
    g = geometry(verb, how.family, x.shape, w.shape, **how.keywords)
    return _call(0, g.y_shape, how, x, w)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _input_grad(dy: Array, w: Array, x_shape: Shape, how: How) -> Array:
    return _call(1, x_shape, how, dy, w, x_shape)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _weight_grad(x: Array, dy: Array, w_shape: Shape, how: How) -> Array:
    return _call(2, w_shape, how, x, dy, w_shape)


def _of_sweep(how: How, kept: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    x, w = kept
    return _input_grad(g, w, x.shape, how), _weight_grad(x, g, w.shape, how)


def _of_input_grad(x_shape: Shape, how: How, kept: tuple[Array, Array],
                   g: Array) -> tuple[Array, Array]:
    dy, w = kept
    return _sweep(g, w, how), _weight_grad(g, dy, w.shape, how)


def _of_weight_grad(w_shape: Shape, how: How, kept: tuple[Array, Array],
                    g: Array) -> tuple[Array, Array]:
    x, dy = kept
    return _input_grad(dy, g, x.shape, how), _sweep(x, g, how)


_sweep.defvjp(lambda x, w, how: (_sweep(x, w, how), (x, w)), _of_sweep)
_input_grad.defvjp(lambda dy, w, *rest: (_input_grad(dy, w, *rest), (dy, w)), _of_input_grad)
_weight_grad.defvjp(lambda x, dy, *rest: (_weight_grad(x, dy, *rest), (x, dy)), _of_weight_grad)
