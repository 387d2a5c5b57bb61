"""
3. The sweep
============

What a convolution computes, place by place: a small filter is laid on the image, the products are
added up, and the sum is written into a map, at the place where the filter lay.  Then the filter
moves on.
"""
from itertools import product

import matplotlib.pyplot as plt
import numpy as np

import sweepconv as sc
from sweepconv.datasets import digits

plt.style.use("tableau-colorblind10")

# %%
# By hand
# -------
# An image of integers, so that every sum is exact, and a filter that answers to an edge between
# bright above and dark below.
x = np.rint(16 * digits()[0][:1].astype(np.float64))  # (1, 1, 8, 8), a handwritten "0"
w = np.array([[[[1, 1, 1], [0, 0, 0], [-1, -1, -1]]]], np.float64)  # (1, 1, 3, 3)


def sweep(x, w, stride=1, padding=0):
    """The definition: y[p] = sum over taps t of w[t] * x[p*stride + t - padding]."""
    around = np.pad(x[0, 0], padding)
    rows, columns = ((n - k) // stride + 1 for n, k in zip(around.shape, w.shape[2:], strict=True))
    y = np.zeros((1, 1, rows, columns))
    for r, c in product(range(rows), range(columns)):
        window = around[r * stride:r * stride + 3, c * stride:c * stride + 3]
        y[0, 0, r, c] = (window * w[0, 0]).sum()
    return y


print("conv equals the loop:", np.array_equal(sc.conv(x, w), sweep(x, w)))

# %%
# One place of it:
place = (1, 2)
window = x[0, 0, place[0]:place[0] + 3, place[1]:place[1] + 3]
y = sc.conv(x, w)
print(window, "times", w[0, 0], f"gives {y[0, 0][place]:.0f}", sep="\n")

figure, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained")
most = abs(y).max()
for a, values, title in zip(axes, (x[0, 0], window, w[0, 0], y[0, 0]),
                            ("image", "window at the place", "filter", "map"), strict=True):
    signed = values.min() < 0
    bound = abs(values).max()
    a.imshow(values, cmap="RdBu" if signed else "gray_r", vmin=-bound if signed else 0,
             vmax=2 * bound if not signed else bound)
    for r, c in np.ndindex(values.shape):
        a.text(c, r, f"{values[r, c] + 0.0:.0f}", ha="center", va="center",
               fontsize=9 if len(values) > 3 else 14,
               color="white" if signed and abs(values[r, c]) > 0.6 * bound else "black")
    a.set(xticks=[], yticks=[], title=title)
square = {"fill": False, "edgecolor": "C1", "linewidth": 3}
axes[0].add_patch(plt.Rectangle((place[1] - 0.5, place[0] - 0.5), 3, 3, **square))
axes[3].add_patch(plt.Rectangle((place[1] - 0.5, place[0] - 0.5), 1, 1, **square))

# %%
# The map is not a verdict but a picture: positive where the image is brighter above, negative
# where it is brighter below, and its place tells where.
#
# Stride and padding
# ------------------
# Padding puts a border around the image, so that the filter may lie over its edge.  Stride moves
# the filter by more than one.  The size of the map follows, and `output_shape` says it without any
# array; the loop agrees every time.
settings = [{"stride": s, "padding": p} for s, p in ((1, 0), (1, 1), (2, 1), (3, 0))]
for setting in settings:
    same = np.array_equal(sc.conv(x, w, **setting), sweep(x, w, **setting))
    print(setting, "map", sc.output_shape(x.shape, w.shape, **setting)[2:], "equal:", same)

# %%
# How often is a pixel seen?  The input gradient tells: with a filter of ones and a `dy` of ones it
# adds a one to each pixel for each window that reads it.
ones = np.ones((1, 1, 3, 3))
figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
for a, setting in zip(axes, settings, strict=True):
    dy = np.ones(sc.output_shape(x.shape, w.shape, **setting))
    seen = sc.conv_input_grad(dy, ones, x.shape, **setting)[0, 0]
    a.imshow(seen, cmap="Blues", vmin=0, vmax=14)
    for r, c in np.ndindex(seen.shape):
        a.text(c, r, f"{seen[r, c]:.0f}", ha="center", va="center", color="black")
    a.set(xticks=[], yticks=[], title="stride {stride}, padding {padding}".format(**setting))
    print(setting, f"a pixel is seen {seen.min():.0f} to {seen.max():.0f} times")
figure.suptitle("How many windows read each pixel")

# %%
# Without padding the border is seen less than the middle.  A stride as large as the filter sees
# each pixel once, and leaves out those that are left over.
#
# The three verbs
# ---------------
# `conv` makes y from x and w.  `conv_input_grad` and `conv_weight_grad` run the same sweep the
# other way.  All three are one sum of products x * w * dy, summed up in three ways:
rng = np.random.default_rng(0)
dy = rng.integers(-3, 4, y.shape).astype(np.float64)
print("dy with conv(x, w):            ", (dy * sc.conv(x, w)).sum())
print("x  with conv_input_grad(dy, w):", (x * sc.conv_input_grad(dy, w, x.shape)).sum())
print("w  with conv_weight_grad(x, dy):", (w * sc.conv_weight_grad(x, dy, w.shape)).sum())
plt.show()
