"""
4. Sharing, and its gradient
============================

A sweep uses one filter everywhere: its weights are *shared*.  Between a dense layer and a
convolution there are two steps, small filters and shared filters, and each can be taken without
the other.  What sharing means for learning is said in one line: the shared gradient is the sum of
the gradients of all places.
"""
import matplotlib.pyplot as plt
import numpy as np

import sweepconv as sc
from sweepconv.datasets import digits
from sweepconv.sharing import Pattern, compare, grad_stats

plt.style.use("tableau-colorblind10")
# sphinx_gallery_thumbnail_number = 2

# %%
# The ladder
# ----------
# One layer in four families, all with maps of the same size: *dense* has a strong filter for each
# output, *local* a weak filter of its own at each place, *tiled* repeats a few filters in turn,
# *conv* has one for all places.
ladder = compare((1, 16, 16), 4, 3, padding=1, padding_mode="circular", period=2)
print(ladder)

# %%
# Weak filters save weights and multiply-adds; sharing saves weights alone, and uses each of them
# more often.  The same as a picture: eight inputs in a ring, eight outputs, three taps.  Each row
# is what one output reads; places of one colour hold the *same* stored weight, white ones none.
ring = {"padding": 1, "padding_mode": "circular"}
families = {
    "dense": Pattern.dense((1, 8), (1, 8, 1, 8)),
    "local": Pattern.local((1, 8), (8, 1, 1, 3), **ring),
    "tiled, period 2": Pattern.tiled((1, 8), (2, 1, 1, 3), **ring),
    "conv": Pattern.conv((1, 8), (1, 1, 3), **ring),
}
figure, axes = plt.subplots(1, 4, figsize=(11, 3.3), layout="constrained")
for a, (name, pattern) in zip(axes, families.items(), strict=True):
    index = pattern.index_map().reshape(8, 8)
    a.imshow(np.ma.masked_less(index, 0), cmap="viridis")
    a.set(xticks=[], yticks=[], xlabel="inputs", ylabel="outputs",
          title=f"{name}\n{pattern.n_params} stored weights")
    print(f"{name:15} {pattern.n_params:2} stored, {pattern.nnz:2} places, "
          f"each used {pattern.multiplicity.max()} times")

# %%
# The gradient is a sum
# ---------------------
# A weight that stands in many places gets the gradients of all of them.  Three ways to the same
# numbers, compared with ``==`` on integers, where every sum is exact:
rng = np.random.default_rng(0)
x = rng.integers(-4, 5, (5, 1, 8)).astype(np.float64)
dy = rng.integers(-4, 5, (5, 1, 8)).astype(np.float64)
shared = sc.conv_weight_grad(x, dy, (1, 1, 3), **ring)
print("the verb                     ", shared.ravel())

dense = np.einsum("nop,nci->opci", dy, x)  # the dense layer's gradient, (O, out, C, in)
print("dense gradient, reduced      ", families["conv"].reduce(dense).ravel())

places = sc.conv_weight_grad(x, dy, (1, 1, 3), reduce="position", **ring)  # (out, O, C, kernel)
print("gradient by place, summed up ", places.sum(axis=0).ravel())
print("by place, it is that of local",
      np.array_equal(places, sc.local_conv_weight_grad(x, dy, places.shape, **ring)))

# %%
# Every place is a sample
# -----------------------
# Why is the sum of use?  Let a filter of zeros learn to do what a teacher's filter does, on images
# of noise.  Its error is dy = 0 - y, and each place tells, with errors of its own, in which
# direction to go.
teacher = np.array([[[[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]]]])
noise = rng.standard_normal((20, 1, 10, 10))
dy = -sc.conv(noise, teacher)
places = -sc.conv_weight_grad(noise, dy, teacher.shape, reduce="position") / len(noise)
mean = places.mean(axis=(0, 1))[0, 0]
alone = np.sqrt(np.square(places[:, :, 0, 0] - teacher[0, 0]).sum(axis=(2, 3)).mean())
print(f"distance from the teacher: one place {alone:.2f}, "
      f"mean of {places.shape[0] * places.shape[1]} places "
      f"{np.linalg.norm(mean - teacher[0, 0]):.2f}")

figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
axes[0].set_facecolor("0.7")
mosaic = np.full((8, 4, 8, 4), np.nan)  # a 3x3 filter for each place, with a gap around it
mosaic[:, :3, :, :3] = places[:, :, 0, 0].transpose(0, 2, 1, 3)
for a, values, title in zip(axes, (mosaic.reshape(32, 32)[:31, :31], mean, teacher[0, 0]),
                            ("step that each place asks for", "their mean", "the teacher"),
                            strict=True):
    a.imshow(values, cmap="RdBu", vmin=-3, vmax=3)
    a.set(xticks=[], yticks=[], title=title)

# %%
# How many samples is a place worth?
# ----------------------------------
# `grad_stats` compares the variance of a shared gradient with that of a single place, and says how
# many independent samples the places of one image are worth.  In noise all of them count, as far
# as a few hundred images can tell.  In real images neighbours look alike, and so do their
# gradients: they count for less.
many = rng.standard_normal((500, 1, 8, 8))
written = digits()[0][:500].astype(np.float64)
worth = {}
for name, images in (("noise", many), ("handwritten digits", written)):
    images = images - images.mean(axis=0)
    stats = grad_stats(images, -sc.conv(images, teacher), teacher.shape)
    worth[name] = np.median(stats.effective)
    print(f"{name:18} {stats.positions} places are worth {worth[name]:.1f} samples")

figure, a = plt.subplots(figsize=(7, 2.2), layout="constrained")
bars = a.barh(list(worth), list(worth.values()), color=["C0", "C1"])
a.bar_label(bars, fmt="%.1f", padding=4)
a.axvline(stats.positions, color="black", linestyle="--")
a.text(stats.positions, 0.5, " all places", va="center")
a.set(xlabel="independent samples in one image", xlim=(0, 1.25 * stats.positions))
a.invert_yaxis()
plt.show()
