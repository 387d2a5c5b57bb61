"""
5. The map moves with the image
===============================

Page 1 lost its letter when it moved by a pixel.  A sweep does not: when the image moves, the map
moves along, and nothing else about it changes.  This is called *equivariance*.  With circular
padding, where what leaves at one side comes in at the other, it holds to the last bit.
"""
from itertools import product

import matplotlib.pyplot as plt
import numpy as np

import sweepconv as sc
from sweepconv.datasets import digits
from sweepconv.equivariance import certify, locate, measure
from sweepconv.layers import Conv, Dense, GlobalMaxPool, LocalConv, ReLU, Sequential

plt.style.use("tableau-colorblind10")
# sphinx_gallery_thumbnail_number = 2

# %%
# Shift the digit, the map moves
# ------------------------------
# A digit on an empty field, the same one moved, and the maps of one random filter.
x = np.zeros((1, 1, 16, 16), np.float32)
x[0, 0, 2:10, 2:10] = digits()[0][3, 0]
w = np.random.default_rng(0).standard_normal((1, 1, 3, 3), dtype=np.float32)
ring = {"padding": 1, "padding_mode": "circular"}
move = (5, 4)  # down, right

moved = np.roll(x, move, (2, 3))
y, y_moved = sc.conv(x, w, **ring), sc.conv(moved, w, **ring)
difference = y_moved - np.roll(y, move, (2, 3))
print(f"greatest difference of the moved map from the map of the moved image: "
      f"{abs(difference).max()}")

figure, axes = plt.subplots(1, 5, figsize=(12, 3.3), layout="constrained")
most = abs(y).max()
for a, image, title in zip(axes, (x, moved, y, y_moved, difference), (
        "image", f"moved by {move}", "map", "map of the\nmoved image",
        "the same, less\nthe moved map"), strict=True):
    signed = title.count("map") > 0
    a.imshow(image[0, 0], cmap="RdBu" if signed else "gray_r",
             vmin=-most if signed else 0, vmax=most if signed else 1)
    a.set(xticks=[], yticks=[], title=title)

# %%
# All shifts, all bits
# --------------------
# The sums are made in the same order at every place, so nothing is rounded in another way either.
shifts = list(product(range(16), range(16)))
equal = [sc.conv(np.roll(x, s, (2, 3)), w, **ring).tobytes()
         == np.roll(sc.conv(x, w, **ring), s, (2, 3)).tobytes() for s in shifts]
print(f"{sum(equal)} of {len(shifts)} shifts give equal bits")

# %%
# `certify` says the same of a whole network, from integers alone: no image, no weight.  A shift by
# 1 of the image is a shift by 1 of the map ("1 -> 1"); after the global maximum it is none.
net = Sequential(Conv(1, 8, 3, rng=0, **ring), ReLU(), Conv(8, 8, 3, rng=1, **ring), ReLU(),
                 GlobalMaxPool())
print(certify(net, (1, 16, 16)))

# %%
# `measure` tries it on data: the error is the norm of the difference, over that of the map.
print(measure(net, x, per_layer=True))

# %%
# Not so the others
# -----------------
# Small filters are not enough: a local layer has another filter at each place, so the same part
# gives another answer there.  A dense layer does no better.  Maps that have nothing to do with each
# other would give about the square root of 2.
layers = {
    "conv": Conv(1, 1, 3, rng=0, **ring),
    "local": LocalConv(1, 1, 3, input_size=(16, 16), rng=0, **ring),
    "dense": Sequential(Dense((1, 16, 16), 256, rng=0)),
}
errors = {}
for name, layer in layers.items():
    def maps(images, layer=layer):
        """As maps, so that all three can be compared."""
        return layer(images).reshape(-1, 1, 16, 16)

    errors[name] = measure(maps, x, step=3).mean_error
    print(f"{name:5} error {errors[name]:.2f}")

# %%
# Where is it?
# ------------
# Since the map keeps the place, the place can be read off.  A filter that is the digit itself, less
# its mean so that it does not answer to mere ink, answers most where the digit lies; `locate` looks
# for the greatest answer.
pattern = digits()[0][3]
pattern = pattern - pattern.mean()
places = np.array(list(product(range(9), range(9))))
images = np.concatenate([np.roll(x, place - 2, (2, 3)) for place in places])
found = locate(images, pattern)
print(f"{np.mean((found.position == places).all(axis=1)):.0%} of {len(places)} places are right")
print("different values of the greatest answer:", len(np.unique(found.score)))

figure, axes = plt.subplots(2, 4, figsize=(10, 5.2), layout="constrained")
square = {"fill": False, "edgecolor": "C1", "linewidth": 2.5}
for column, i in zip(axes.T, (0, 16, 50, 78), strict=True):
    column[0].imshow(images[i, 0], cmap="gray_r")
    r, c = found.position[i]
    column[0].add_patch(plt.Rectangle((c - 0.5, r - 0.5), 8, 8, **square))
    column[0].set_title(f"found at ({r}, {c})")
    column[1].imshow(found.map[i], cmap="Blues", vmin=0, vmax=found.score.max())
    column[1].add_patch(plt.Rectangle((c - 0.5, r - 0.5), 1, 1, **square))
    column[1].set_title(f"greatest answer {found.score[i]:.1f}")
for a in axes.flat:
    a.set(xticks=[], yticks=[])

# %%
# The greatest answer has one value wherever the digit is: it says *what*, and its place says
# *where*.  A network that keeps only the greatest answer has chosen to forget the place, as in the
# last row of the tables above.
plt.show()
