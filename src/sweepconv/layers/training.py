"""Training: a loss and three optimisers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .base import Array, Layer

Rate: TypeAlias = "float | Mapping[int, float]"


def softmax_cross_entropy(scores: Array, labels: npt.ArrayLike) -> tuple[float, Array]:
    """Mean over the batch of -log softmax(scores)[label], and its gradient for the scores.

    Parameters
    ----------
    scores : (N, K), N and K at least 1.
    labels : (N,) integers in 0 .. K-1.

    Returns
    -------
    loss : float
    dscores : (N, K), (softmax(scores) - one-hot(labels)) / N.

    Examples
    --------
    >>> loss, dscores = softmax_cross_entropy(np.zeros((1, 2)), [0])
    >>> round(loss, 6), dscores
    (0.693147, array([[-0.5,  0.5]]))
    """
    y, n = np.asarray(labels), len(scores)
    if scores.ndim != 2 or 0 in scores.shape:
        raise ValueError("softmax_cross_entropy: scores must be (N, K), both at least 1, "
                         f"got scores.shape = {scores.shape}")
    if y.dtype.kind not in "iu":
        raise TypeError(f"softmax_cross_entropy: labels must be integers, got {y.dtype}")
    if y.shape != (n,) or y.min() < 0 or y.max() >= scores.shape[1]:
        raise ValueError(f"softmax_cross_entropy: labels must be ({n},) and below K for "
                         f"scores.shape = {scores.shape}, got labels.shape = {y.shape} "
                         f"from {y.min(initial=0)} to {y.max(initial=0)}")
    centred = scores - scores.max(axis=1, keepdims=True)  # exp cannot overflow
    log_p = centred - np.log(np.exp(centred).sum(axis=1, keepdims=True))  # (N, K)
    rows = np.arange(n)
    dscores = np.exp(log_p)
    dscores[rows, y] -= 1
    return -float(log_p[rows, y].mean(dtype=np.float64)), dscores / n


class _Optimiser:
    """Changes parameters in place by their gradients.

    `lr` may be changed between steps; given as {0: a, 1000: b} it changes from a to b after 1,000.
    """

    def __init__(self, layer_or_params: Layer | Mapping[str, Array], lr: Rate,
                 weight_decay: float = 0) -> None:
        self._target = layer_or_params
        self._rates = dict(lr) if isinstance(lr, Mapping) else {0: lr}
        if 0 not in self._rates:
            raise ValueError(f"{type(self).__name__}: lr must say the rate from step 0 on, "
                             f"got {self._rates}")
        self.lr, self.steps = self._rates[0], 0  # steps done so far
        self.weight_decay = weight_decay
        self._state: dict[tuple[str, str], Array] = {}  # (kind, parameter) -> running value

    def _running(self, kind: str, name: str, like: Array) -> Array:
        if (kind, name) not in self._state:
            self._state[kind, name] = np.zeros_like(like)
        return self._state[kind, name]

    def _change(self, name: str, g: Array) -> Array:
        """What one step subtracts from the parameter `name` with gradient g."""
        raise NotImplementedError

    def step(self, grads: Mapping[str, Array] | None = None) -> None:
        """One step by `grads`, by default those of the layer's last `backward`."""
        verb, target = f"{type(self).__name__}.step", self._target
        params = target.params if isinstance(target, Layer) else target
        if grads is None:
            if not isinstance(target, Layer):
                raise TypeError(f"{verb}: grads must be given, as only parameters are known here")
            grads = target.grads
        for name, p in params.items():
            if name not in grads:
                raise ValueError(f"{verb}: no gradient for {name!r}, got {sorted(grads)}; "
                                 "call backward first")
            if grads[name].shape != p.shape:
                raise ValueError(f"{verb}: the gradient of {name!r} must have shape {p.shape}, "
                                 f"got {grads[name].shape}")
        self.lr = self._rates.get(self.steps, self.lr)
        self.steps += 1
        for name, p in params.items():
            g = grads[name] + self.weight_decay * p if self.weight_decay else grads[name]
            p -= self._change(name, g)


class SGD(_Optimiser):
    """Gradient descent with momentum, as PyTorch's: v = momentum * v + g, then p -= lr * v.

    `weight_decay` times p is added to g before.

    Examples
    --------
    >>> params = {"w": np.array([1.0])}
    >>> SGD(params, lr=0.5).step({"w": np.array([1.0])})
    >>> params["w"]
    array([0.5])
    """

    def __init__(self, layer_or_params: Layer | Mapping[str, Array], lr: Rate,
                 momentum: float = 0, weight_decay: float = 0) -> None:
        super().__init__(layer_or_params, lr, weight_decay)
        self.momentum = momentum

    def _change(self, name: str, g: Array) -> Array:
        if self.momentum:
            v = self._running("v", name, g)
            v *= self.momentum
            v += g
            g = v
        return self.lr * g


class Adam(_Optimiser):
    """Adam (Kingma & Ba 2015) at step t, with running means m of g and v of g*g:

        p -= lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)
    """

    def __init__(self, layer_or_params: Layer | Mapping[str, Array], lr: Rate = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> None:
        super().__init__(layer_or_params, lr)
        self.betas, self.eps = betas, eps

    def _change(self, name: str, g: Array) -> Array:
        means = []
        for kind, beta, value in zip("mv", self.betas, (g, g * g), strict=True):
            mean = self._running(kind, name, g)
            mean *= beta
            mean += (1 - beta) * value
            means.append(mean / (1 - beta**self.steps))
        return self.lr * means[0] / (np.sqrt(means[1]) + self.eps)


class Adadelta(_Optimiser):
    """Adadelta (Zeiler 2012), with running means v of g*g and u of d*d:

        d = g * sqrt(u + eps) / sqrt(v + eps),   then p -= lr * d

    where v has this step's g already and u does not have its d; `weight_decay` times p is added to
    g before, as PyTorch does.

    Examples
    --------
    >>> params = {"w": np.array([1.0])}
    >>> Adadelta(params, eps=1.0).step({"w": np.array([10.0])})
    >>> params["w"].round(6)  # 1 - 10 * 1 / sqrt(0.1 * 100 + 1)
    array([-2.015113])
    """

    def __init__(self, layer_or_params: Layer | Mapping[str, Array], lr: Rate = 1.0,
                 rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0) -> None:
        super().__init__(layer_or_params, lr, weight_decay)
        self.rho, self.eps = rho, eps

    def _change(self, name: str, g: Array) -> Array:
        v, u = (self._running(kind, name, g) for kind in "vu")
        v *= self.rho
        v += (1 - self.rho) * g * g
        d = g * (np.sqrt(u + self.eps) / np.sqrt(v + self.eps))
        u *= self.rho
        u += (1 - self.rho) * d * d
        return self.lr * d
