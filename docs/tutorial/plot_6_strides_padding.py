"""
6. Where it breaks, and what repairs it
=======================================

Two things that every network has break the law of the page before: a border that is padded with
zeros, and strides.  Both do it in a known way, and for each there is a remedy.
"""
import matplotlib.pyplot as plt
import numpy as np

import sweepconv as sc
from sweepconv.datasets import digits
from sweepconv.equivariance import APS, BlurPool, certify, measure, polyphase
from sweepconv.layers import Conv, GlobalMaxPool, ReLU, Sequential

plt.style.use("tableau-colorblind10")
# sphinx_gallery_thumbnail_number = 3

x = np.kron(digits()[0][:20], np.ones((2, 2), np.float32))  # (20, 1, 16, 16), no empty margin
ring = {"padding": 1, "padding_mode": "circular"}

# %%
# Zeros at the border
# -------------------
# Three layers, once with zeros around the image and once with the other end.  The picture shows
# how much the map of the moved image differs from the moved map, at each place.


def three(**border):
    """Three convolutions with ReLU, the same weights every time."""
    return Sequential(*(layer for i in range(3) for layer in (
        Conv(4 if i else 1, 4, 3, rng=i, **border), ReLU())))


def broken(net, shift, moves):
    """Greatest difference at each place, over images and maps."""
    moved = net(np.roll(x, shift, 3)) - np.roll(net(x), moves, 3)
    return abs(moved).max(axis=(0, 1))


nets = {"zeros": three(padding=1), "circular": three(**ring)}
figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.4), layout="constrained")
for a, (name, net) in zip(axes, nets.items(), strict=True):
    difference = broken(net, 1, 1)
    shown = a.imshow(difference, cmap="Reds", vmin=0, vmax=broken(nets["zeros"], 1, 1).max())
    a.set(xticks=[], yticks=[], title=f"{name}: largest {difference.max():.2f}")
    print(f"{name:8} {np.mean(difference > 0):.0%} of the places differ")
figure.colorbar(shown, ax=axes, label="difference")

# %%
# Zeros do harm at the border, and each layer carries it one place further in.  The *interior* is
# untouched, to the last bit.  How wide the margin is follows from integers:
law = certify(nets["zeros"], (1, 16, 16))
(above, below), (left, right) = law.margin((0, 1))
print(f"margin of a shift by (0, 1): rows {above} and {below}, columns {left} and {right}")
print("all:     ", measure(nets["zeros"], x, shifts=[(0, 1)]).bit_equal)
print("interior:", measure(nets["zeros"], x, shifts=[(0, 1)], region="interior",
                           margin=law.margin).bit_equal)

# %%
# A stride
# --------
# A stride of 2 keeps one of four parts of the full map (on two axes), its *polyphase components*.
# A shift by 2 moves the kept part by 1.  A shift by 1 gives one of the other parts, which is not
# the kept one moved.
w = np.random.default_rng(0).standard_normal((1, 1, 3, 3), dtype=np.float32)
full = sc.conv(x, w, **ring)
parts = polyphase(full, 2)  # (4, N, C, 8, 8)
strided, after_1, after_2 = (sc.conv(np.roll(x, s, 3), w, stride=2, **ring) for s in (0, 1, 2))
print("the stride keeps part 0:        ", np.array_equal(strided, parts[0]))
print("moved by 2, it is part 0, moved:", np.array_equal(after_2, np.roll(parts[0], 1, 3)))
print("moved by 1, it is part 0, moved:", np.array_equal(after_1, np.roll(parts[0], 1, 3)))
print("moved by 1, it is part 1, moved:", np.array_equal(after_1, np.roll(parts[1], 1, 3)))

figure, axes = plt.subplots(1, 5, figsize=(12, 2.8), layout="constrained")
most = abs(full[0]).max()
for a, values, title in zip(axes, (full[0, 0], *parts[:, 0, 0]), (
        "the full map", "part 0 (kept)", "part 1", "part 2", "part 3"), strict=True):
    a.imshow(values, cmap="RdBu", vmin=-most, vmax=most)
    a.set(xticks=[], yticks=[], title=title)

# %%
# The shifts by multiples of the stride are the *lattice* on which the law still holds.  The size
# of the image must be a multiple of the stride, too; else the seam breaks it:
for size in (16, 15):
    print(certify(Conv(1, 1, 3, stride=2, **ring), (1, size, size)), end="\n\n")

# %%
# Two remedies
# ------------
# `BlurPool` blurs before it keeps every second place, so that neighbouring parts differ less.
# `APS` keeps the part with the largest norm, wherever it is: after a shift that is the same part.
# All three end with a global maximum, which should not change at all when the image moves.
ends = {
    "stride 2": [Conv(4, 4, 3, stride=2, rng=1, **ring), ReLU()],
    "blur, then stride 2": [Conv(4, 4, 3, rng=1, **ring), ReLU(), BlurPool(3)],
    "APS": [Conv(4, 4, 3, rng=1, **ring), ReLU(), APS(2)],
}
shifts = range(1, 9)
figure, a = plt.subplots(figsize=(7.4, 3.8), layout="constrained")
for (name, end), mark in zip(ends.items(), ("o-", "s--", "^-."), strict=True):
    net = Sequential(Conv(1, 4, 3, rng=0, **ring), ReLU(), *end, GlobalMaxPool())
    found = [measure(net, x, shifts=[(0, s)]) for s in shifts]
    errors = [100 * m.mean_error for m in found]
    a.plot(shifts, errors, mark, linewidth=2, label=name)
    print(f"{name:20} mean change {np.mean(errors):5.2f} %, equal bits in "
          f"{np.mean([m.bit_equal for m in found]):.0%}")
a.set(xlabel="pixels that the image moves", ylabel="change of the result, per cent", xticks=shifts,
      title="The greatest answers, when the image moves", ylim=(None, 1.25 * a.get_ylim()[1]))
a.legend(loc="upper center", ncols=3)
plt.show()
