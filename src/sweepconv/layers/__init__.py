"""Layers for seeing what sharing does: the verbs of this library with weights attached.

    y = layer(x)                 forward
    dx = layer.backward(dy)      fills layer.grads, returns the gradient for the layer before

`params` and `grads` map names ("w", "b") to arrays.  A layer remembers the x of its last call (the
array itself: leave it unchanged until `backward`), and each `backward` overwrites the gradients of
the one before.  There is no graph: a batch goes forward and back through a `Sequential`, then an
optimiser changes the parameters in place.  Equal rng and equal data give equal bits.

Dense, LocalConv, TiledConv and Conv are one equation with less or more sharing,

    y[n, o, p] = b[f(p), o] + sum over c, t of w[f(p), o, c, t] * x[n, c, p*stride + t - padding]

so they are one class, `_Weighted`, with four sets of verbs and four shapes of the weights.
"""

from .base import Layer
from .files import load, save
from .low_rank import LowRankLocal
from .plain import (
    AsMaps,
    AvgPool,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    L2Pool,
    MaxPool,
    ReLU,
    Residual,
    Sequential,
)
from .sweeps import Conv, ConvTranspose, Dense, LocalConv, TiledConv
from .training import SGD, Adadelta, Adam, softmax_cross_entropy

__all__ = [
    "Adadelta", "Adam", "AsMaps", "AvgPool", "Conv", "ConvTranspose", "Dense", "Flatten",
    "GlobalAvgPool", "GlobalMaxPool", "L2Pool", "Layer", "LocalConv", "LowRankLocal", "MaxPool",
    "ReLU", "Residual", "SGD", "Sequential", "TiledConv", "load", "save", "softmax_cross_entropy",
]
