"""
1. One strong filter finds a "2"
================================

A *strong* filter is as big as the image.  It knows the whole pattern, it finds it alone, and it
finds it at one place only.  This is what one output of a dense layer is.  This page draws such a
filter by hand, trains another one, and then moves the letter.
"""
import matplotlib.pyplot as plt
import numpy as np

import sweepconv as sc
from sweepconv.datasets import ANGLE, GLYPH, SEMICIRCLE, letter2
from sweepconv.layers import SGD, Dense, softmax_cross_entropy

plt.style.use("tableau-colorblind10")
# sphinx_gallery_thumbnail_number = 2
ROW, COLUMN = 6, 9  # where letter2 puts the letter if it stays at its place

# %%
# The task
# --------
# The letter is made of two parts: a semicircle above an angle.  An image with label 1 holds the
# whole letter.  One with label 0 holds a part alone, or both parts in the wrong order.
figures = {
    '"2"': GLYPH,
    "semicircle": np.vstack([SEMICIRCLE, np.zeros_like(ANGLE)]),
    "angle": np.vstack([np.zeros_like(SEMICIRCLE), ANGLE]),
    "swapped": np.vstack([ANGLE, SEMICIRCLE]),
}
images = np.zeros((len(figures), 1, 28, 28), np.float32)
images[:, 0, ROW:ROW + 16, COLUMN:COLUMN + 10] = list(figures.values())

# %%
# The filter
# ----------
# Its weights are the letter at its place, divided by the number of its pixels, so that it answers
# 1 to the letter.  `sweepconv.dense` multiplies every image with it, pixel by pixel, and adds up.
strong = images[:1] / images[0].sum()
answers = sc.dense(images, strong)[:, 0]
for name, answer in zip(figures, answers, strict=True):
    print(f"{name:10} {answer:.2f}")

figure, axes = plt.subplots(1, 5, figsize=(10, 2.5), layout="constrained")
for a, name, image, answer in zip(axes, figures, images, answers, strict=False):
    a.imshow(image[0], cmap="gray_r")
    a.set_title(f"{name}\nanswer {answer:.2f}")
axes[4].imshow(strong[0, 0], cmap="Blues")
axes[4].set_title("the strong\nfilter")
for a in axes:
    a.set(xticks=[], yticks=[])

# %%
# The greatest answer to a wrong figure is well below 1.  A threshold half way between tells them
# apart, in noise as well.
threshold = (answers[0] + answers[1:].max()) / 2
x, y = letter2(1000, sigma=0.5, seed=1)
right = np.mean((sc.dense(x, strong)[:, 0] > threshold) == y)
print(f"threshold {threshold:.2f}: {right:.1%} of {len(x)} noisy images are right")

# %%
# A trained one
# -------------
# Training makes a filter of the same kind.  A dense layer with two outputs starts from small random
# weights and sees images of the letter at its place; its filter is what speaks for "2" less what
# speaks against it.
train_x, train_y = letter2(1000, sigma=0.3, seed=2)
layer = Dense((1, 28, 28), 2, rng=0)
descent = SGD(layer.params, 0.2)
for _ in range(60):
    _, dy = softmax_cross_entropy(layer(train_x), train_y)
    layer.backward(dy, input_grad=False)
    descent.step(layer.grads)
learned = (layer.params["w"][1] - layer.params["w"][0]).reshape(28, 28)
x, y = letter2(1000, sigma=0.3, seed=1)
for name, some, labels in (("training", train_x, train_y), ("new", x, y)):
    right = np.mean(layer(some).argmax(axis=1) == labels)
    print(f"trained: {right:.1%} of {len(labels):,} {name} images are right")
print(f"{layer.n_params:,} parameters were learned from {len(train_y):,} images")

# %%
# It knows the images of its training and does worse on new ones.  Outside of the letter's box there
# is nothing to be learned, and yet most of the filter is there: it is the noise of the images that
# it was trained with.  So many weights need more images than these; page 7 is about how many.
box = np.zeros((28, 28), bool)
box[ROW:ROW + 16, COLUMN:COLUMN + 10] = True
print(f"outside of the box: {np.square(learned[~box]).sum() / np.square(learned).sum():.0%} "
      "of the squares of all weights")

# %%
# The letter moves
# ----------------
# Now the letter moves to the right, a pixel at a time, and nothing else changes.
steps = np.arange(-9, 10)
moved = np.concatenate([np.roll(images[:1], step, axis=3) for step in steps])
answers = sc.dense(moved, strong)[:, 0]
print("moved by", *(f"{step:5}" for step in steps[9:14]))
print("answer  ", *(f"{answer:5.2f}" for answer in answers[9:14]))

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained",
                                     width_ratios=[1, 2])
most = abs(learned).max()
left.imshow(learned, cmap="RdBu", vmin=-most, vmax=most)
left.add_patch(plt.Rectangle((COLUMN - 0.5, ROW - 0.5), 10, 16, fill=False, linewidth=2))
left.set(xticks=[], yticks=[], title="trained filter, letter's box\n(blue: for, red: against)")
right.plot(steps, answers, "o-", label='answer to the moved "2"')
right.axhline(threshold, color="C1", linestyle="--", label="threshold")
right.set(xlabel="pixels to the right", ylabel="answer", xticks=steps[::3],
          title="One pixel is enough to lose the letter")
right.legend(loc="upper right")

# %%
# One pixel is enough.  On images where the letter may stand anywhere, both filters do little more
# than guess: of all figures half are letters, and saying always the same would be right as often.
x, y = letter2(1000, sigma=0.5, place="anywhere", seed=3)
print(f"by hand: {np.mean((sc.dense(x, strong)[:, 0] > threshold) == y):.1%} are right")
print(f"trained: {np.mean(layer(x).argmax(axis=1) == y):.1%} are right")
print(f"always no: {np.mean(y == 0):.1%}")

# %%
# To find the letter anywhere, a dense layer would need one strong filter for each place.
places = (28 - 16 + 1) * (28 - 10 + 1)
print(f"{places} places x {28 * 28} weights = {places * 28 * 28:,} weights")
plt.show()
