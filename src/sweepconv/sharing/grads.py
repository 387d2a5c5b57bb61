"""Shared gradients before their sum: by position, by sample, and what the sum buys.

A shared weight's gradient is a sum over samples n and positions p,

    dw[o, c, t] = sum over n, p of g[n, p]
    g[n, p] = dy[n, o, p] * x[n, c, p*stride + t - padding]

Here its parts come in blocks, so that they need not fit into memory at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import operands, require_shape
from sweepconv.conv import conv_weight_grad
from sweepconv.geometry import Geometry, as_shape, geometry, virtual_index

from .base import Array

BLOCK_BYTES = 64 << 20


def sample_grads(x: npt.ArrayLike, dy: npt.ArrayLike, w_shape: Sequence[int], *,
                 block_bytes: int = BLOCK_BYTES, n_threads: int | None = None, **geometry: Any
                 ) -> Iterator[tuple[slice, Array]]:
    """The weight gradient of each sample of a conv, some samples at a time.

    Parameters
    ----------
    x : (N, C, *spatial); dy : (N, O, *out); w_shape : (O, C/groups, *kernel).
    block_bytes : size of a block, but at least one sample.
    n_threads, **geometry : as in `conv`.

    Yields
    ------
    samples : slice of N.
    dw : (samples, *w_shape)

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(6.0).reshape(2, 1, 3)
    >>> for samples, dw in sample_grads(x, np.ones((2, 1, 2)), (1, 1, 2)):
    ...     print(samples, dw.tolist())
    slice(0, 2, None) [[[[1.0, 3.0]]], [[[7.0, 9.0]]]]
    """
    g, x, dy = _checked("sample_grads", x, dy, w_shape, geometry)
    step = max(block_bytes // (math.prod(g.w_shape) * x.itemsize), 1)
    for n in range(0, g.batch, step):
        samples = slice(n, min(n + step, g.batch))
        yield samples, conv_weight_grad(x[samples], dy[samples], g.w_shape, reduce="sample",
                                        n_threads=n_threads, **geometry)


def position_grads(x: npt.ArrayLike, dy: npt.ArrayLike, w_shape: Sequence[int], *,
                   block_bytes: int = BLOCK_BYTES, n_threads: int | None = None, **geometry: Any
                   ) -> Iterator[tuple[slice, Array]]:
    """What each position adds to the weight gradient of a conv, some rows of positions at a time.

    Parameters
    ----------
    x, dy, w_shape, n_threads, **geometry : as in `sample_grads`.
    block_bytes : size of a block, but at least one row of the first spatial axis.

    Yields
    ------
    rows : slice of the first axis of out.
    dw : (rows, *out[1:], O, C/groups, *kernel); summed over all positions it is the gradient.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(3.0).reshape(1, 1, 3)
    >>> for rows, dw in position_grads(x, np.ones((1, 1, 2)), (1, 1, 2)):
    ...     print(rows, dw.tolist())
    slice(0, 2, None) [[[[0.0, 1.0]]], [[[1.0, 2.0]]]]
    """
    g, x, dy = _checked("position_grads", x, dy, w_shape, geometry)
    row = math.prod((*g.out_size[1:], *g.w_shape)) * x.itemsize
    step = max(block_bytes // max(row, 1), 1)
    for r in range(0, g.out_size[0], step):
        rows = slice(r, min(r + step, g.out_size[0]))
        pads = ((0, 0), *g.pads[1:])
        yield rows, conv_weight_grad(
            _read_by(g, x, rows), dy[:, :, rows], g.w_shape, reduce="position", stride=g.stride,
            padding=pads, dilation=g.dilation, groups=g.groups, padding_mode=g.mode,
            n_threads=n_threads)


def _read_by(g: Geometry, x: Array, rows: slice) -> Array:
    """What some rows of outputs read of the first spatial axis, padding included."""
    first = rows.start * g.stride[0] - g.pads[0][0]
    last = (rows.stop - 1) * g.stride[0] - g.pads[0][0] + (g.kernel[0] - 1) * g.dilation[0]
    index = virtual_index(np.arange(first, last + 1), g.in_size[0], g.mode)
    if (np.diff(index) == 1).all() and index[0] >= 0:
        return x[:, :, index[0]:index[-1] + 1]
    read: Array = np.take(x, np.maximum(index, 0), axis=2)
    read[:, :, index < 0] = 0
    return read


def sample_norms(x: npt.ArrayLike, dy: npt.ArrayLike, w_shape: Sequence[int], *,
                 n_threads: int | None = None, **geometry: Any) -> Array:
    """Squared norm of each sample's weight gradient, (N,), without keeping the gradients.

    What clipping by sample needs, as for differential privacy.  Arguments as in `sample_grads`.

    Examples
    --------
    >>> import numpy as np
    >>> sample_norms(np.arange(6.0).reshape(2, 1, 3), np.ones((2, 1, 2)), (1, 1, 2))
    array([ 10., 130.])
    """
    g, x, dy = _checked("sample_norms", x, dy, w_shape, geometry)
    norms = np.empty(g.batch, x.dtype)
    # As many samples as stay in the last-level cache with their gradients.
    for samples, dw in sample_grads(x, dy, w_shape, block_bytes=4 << 20, n_threads=n_threads,
                                    **geometry):
        flat = dw.reshape(len(dw), -1)
        norms[samples] = np.einsum("ni,ni->n", flat, flat)
    return norms


@dataclass(frozen=True)
class GradStats:
    """What sharing does to a gradient; arrays have the shape of w.

    Attributes
    ----------
    mean : mean gradient over the samples.
    shared : variance over the samples of the shared gradient, sum over p of g[n, p].
    unshared : variance over the samples of one position's gradient g[n, p], mean over positions:
        what a weight of a local layer has.
    positions : L, number of positions that share the weight.
    """

    mean: Array
    shared: Array
    unshared: Array
    positions: int

    @property
    def effective(self) -> Array:
        """Effective number of samples in the positions of one image: L where they are
        independent, 1 where they are the same, less where they fall into step.

        The variance of a mean over positions is that of one position over this number:
        L^2 * unshared / shared.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.positions**2 * self.unshared / self.shared)


def grad_stats(x: npt.ArrayLike, dy: npt.ArrayLike, w_shape: Sequence[int], *,
               n_threads: int | None = None, **geometry: Any) -> GradStats:
    """Variance of each weight's gradient with and without sharing.

    Parameters as in `sample_grads`; N >= 2.  Variances are over the samples (divided by N - 1).
    Squares are summed by the weight gradient itself, of x^2 and dy^2.

    Examples
    --------
    Noise in every pixel: the L = 30 positions count like 30 samples, or nearly so.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, dy = rng.standard_normal((500, 1, 32)), rng.standard_normal((500, 1, 30))
    >>> stats = grad_stats(x, dy, (1, 1, 3))
    >>> stats.positions, bool((abs(stats.effective - 30) < 6).all())
    (30, True)
    """
    g, x, dy = _checked("grad_stats", x, dy, w_shape, geometry)
    if g.batch < 2:
        raise ValueError(f"grad_stats: a variance needs 2 samples or more, got N = {g.batch}")
    x, dy, n = x.astype(np.float64), dy.astype(np.float64), g.batch
    keywords = {"n_threads": n_threads, **geometry}
    squares = conv_weight_grad(x * x, dy * dy, g.w_shape, **keywords)
    mean = conv_weight_grad(x, dy, g.w_shape, **keywords) / n
    apart = np.zeros(g.w_shape)  # sum over p of the squared mean over n
    for _, dw in position_grads(x, dy, g.w_shape, **keywords):
        apart += np.square(dw / n).reshape(-1, *g.w_shape).sum(0)
    together = np.zeros(g.w_shape)
    for _, dw in sample_grads(x, dy, g.w_shape, **keywords):
        together += np.square(dw - mean).sum(0)
    places = math.prod(g.out_size)
    return GradStats(mean, together / (n - 1),
                     np.maximum(squares - n * apart, 0) / ((n - 1) * places), places)


def _checked(verb: str, x: npt.ArrayLike, dy: npt.ArrayLike, w_shape: Sequence[int],
             keywords: dict[str, Any]) -> tuple[Geometry, Array, Array]:
    x, dy = operands(verb, x=x, dy=dy)
    g = geometry(verb, "conv", x.shape, as_shape(verb, "w_shape", w_shape), **keywords)
    require_shape(verb, "dy", dy, g.y_shape, f"for x.shape = {x.shape}, w_shape = {g.w_shape}")
    return g, x, dy
