"""
2. Weak filters, together
=========================

A *weak* filter is small.  It is swept over the image and finds a part of the pattern, wherever it
is.  Alone it is easily fooled.  Several of them, asked for *at the places where they belong*, find
the whole pattern, and say where it is.
"""
import matplotlib.pyplot as plt
import numpy as np

from sweepconv.datasets import ANGLE, GLYPH, SEMICIRCLE, letter2
from sweepconv.weak import Parts, compare_filters, detection_map, pooled, responses

plt.style.use("tableau-colorblind10")

# %%
# Two weak filters
# ----------------
# The semicircle and the angle of the "2", each as a filter of its own, and where the first corner
# of each lies in the letter.
parts = Parts(filters={"semicircle": SEMICIRCLE, "angle": ANGLE},
              offsets={"semicircle": (0, 0), "angle": (len(SEMICIRCLE), 0)})
for name, w in parts.filters.items():
    print(f"{name:10} {w.shape[0]:2} x {w.shape[1]}, {w.sum():.0f} pixels, "
          f"first corner at {parts.offsets[name]}")

# %%
# Four figures, at a place that is neither the usual one nor the same for all.
figures = {
    '"2"': GLYPH,
    "semicircle": np.vstack([SEMICIRCLE, np.zeros_like(ANGLE)]),
    "angle": np.vstack([np.zeros_like(SEMICIRCLE), ANGLE]),
    "swapped": np.vstack([ANGLE, SEMICIRCLE]),
}
corners = [(9, 2), (3, 14), (7, 8), (2, 4)]
images = np.zeros((4, 1, 28, 28))
for image, glyph, (r, c) in zip(images, figures.values(), corners, strict=True):
    image[0, r:r + 16, c:c + 10] = glyph

# %%
# Each alone is fooled
# --------------------
# `responses` sweeps a filter, so scaled that it answers 1 to its own part; `pooled` keeps the
# greatest answer of each map.  `detection_map` moves the maps so that what belongs together lies
# on one place, and keeps the *least* answer there: all parts must be there.
maps = {name: responses(images, w) for name, w in parts.filters.items()}
together = detection_map(images, *parts)
print(f"{'greatest answer of':20} semicircle  angle  both in their places")
for i, name in enumerate(figures):
    semicircle, angle, both = (pooled(m[i:i + 1])[0] for m in (*maps.values(), together))
    print(f"{name:20} {semicircle:10.2f} {angle:6.2f} {both:21.2f}")

# %%
# The semicircle's filter answers 1 to a semicircle without an angle, and the angle's to an angle
# without a semicircle.  Even both of them cannot tell the "2" from the swapped figure, if all that
# is kept of a map is its greatest answer: both parts are there.  Only the last column tells them
# apart, since only it asks *where*.
#
# In the picture a map has its values where the filter's first corner lies; where the filter would
# leave the image there is none (grey).  A ring marks the greatest answer.
figure, axes = plt.subplots(4, 4, figsize=(8.4, 8.4), layout="constrained")
for i, (row, name) in enumerate(zip(axes, figures, strict=True)):
    row[0].imshow(images[i, 0], cmap="gray_r")
    row[0].set_ylabel(name, fontsize=12)
    for a, m in zip(row[1:], (*maps.values(), together), strict=True):
        shown = a.imshow(m[i], cmap="viridis", vmin=0, vmax=1)
        a.set(xlim=(-0.5, 27.5), ylim=(27.5, -0.5), facecolor="0.85")
        r, c = np.unravel_index(m[i].argmax(), m[i].shape)
        a.plot(c, r, "o", markersize=14, markerfacecolor="none", markeredgecolor="white")
        a.set_xlabel(f"greatest {m[i].max():.2f}")
for a, title in zip(axes[0], ("image", *maps, "both, in their places"), strict=True):
    a.set_title(title)
for a in axes.flat:
    a.set(xticks=[], yticks=[])
figure.colorbar(shown, ax=axes, shrink=0.4, label="answer")

# %%
# The map keeps the place
# -----------------------
# The place of the greatest answer is the place of the letter, for every letter of a few hundred.
x, y = letter2(600, place="anywhere", seed=1)
letters = x[y == 1, 0]
first_row = letters.any(axis=2).argmax(axis=1)
first_column = letters.any(axis=1).argmax(axis=1)
found = detection_map(x[y == 1], *parts)
r, c = np.unravel_index(found.reshape(len(found), -1).argmax(axis=1), found.shape[1:])
print(f"{np.mean((r == first_row) & (c == first_column)):.0%} of {len(letters)} letters are "
      "found where they are")

# %%
# In noise
# --------
# The letters anywhere, now in noise as strong as the strokes, as seen by the strong filter of the
# page before, by one large filter that is swept, and by the weak ones.  "Largest" is the number of
# weights of the largest filter.  An ROC area of 1 is perfect, 0.5 is guessing.
x, y = letter2(600, sigma=1, place="anywhere", seed=2)
compared = compare_filters(x, y, parts, place=(6, 9), pieces=[2, 3])
print(compared)

figure, a = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
lines = ("-", "--", "-.", "-", ":", "--")
for (way, curve), line in zip(compared.rocs.items(), lines, strict=True):
    a.plot(curve.false, curve.true, line, linewidth=2.5, label=f"{way}, area {curve.area:.2f}")
a.set(xlabel='share of other figures taken for a "2"', ylabel='share of "2" found',
      title="Letters anywhere, in noise")
a.legend(loc="lower right")

# %%
# The large swept filter does well too: what finds the letter anywhere is the *sweep*.  What weak
# filters add is that each is small, and of use for other figures that have the same part.  There
# is a price for being small, too: cut into more and smaller pieces, each piece is less sure in
# noise, and the least of their answers is less sure still.

# %%
# What the sweep does not cover
# -----------------------------
# A sweep tries all places, and nothing else: not turned letters, not larger ones.
for name, image in (("as it is", GLYPH), ("upside down", GLYPH[::-1, ::-1]),
                    ("mirrored", GLYPH[:, ::-1]), ("lying", np.rot90(GLYPH)),
                    ("twice as large", np.kron(GLYPH, np.ones((2, 2))))):
    around = np.pad(np.array(image, np.float64), 20)[None, None]
    print(f"{name:15} greatest answer {pooled(detection_map(around, *parts))[0]:.2f}")
plt.show()
