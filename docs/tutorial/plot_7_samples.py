"""
7. How many samples it takes
============================

What is the use of all this?  A layer with fewer free weights learns from fewer samples, if the
weights it does without were not needed.  On a task that a convolution can do, the law is simple
enough to be predicted; and there are tasks on which sharing harms.
"""
import matplotlib.pyplot as plt
import numpy as np

from sweepconv.efficiency import (
    Recipe,
    learning_curve,
    location_labels,
    measured_ols_risk,
    ols_risk,
    samples_to_reach,
)

plt.style.use("tableau-colorblind10")
MARKS = {"dense": "o", "local": "s", "tiled": "^", "conv": "D"}
COLOURS = {"dense": "#D55E00", "local": "#CC79A7", "tiled": "#009E73", "conv": "#0072B2"}

# %%
# A law
# -----
# A teacher, a circular convolution with few taps, makes outputs from inputs of noise, and more
# noise is added to them.  Each family fits its own weights by least squares.  To first order, the
# risk (squared distance from the teacher, over all weights of the dense layer) is the number of
# free weights over the number of samples.
task = {"d": 32, "k": 5}
sizes = np.array([50, 100, 200, 400, 800])
figure, a = plt.subplots(figsize=(7.4, 4.6), layout="constrained")
print(f"{'family':6} {'weights':>8} {'samples':>8} {'predicted':>10} {'measured':>9} {'error':>6}")
for family, mark in MARKS.items():
    given = {**task, "period": 4 if family == "tiled" else None}
    fine = np.geomspace(50, 800)
    a.plot(fine, [ols_risk(family, n=int(n), **given) for n in fine], color=COLOURS[family])
    found = [measured_ols_risk(family, n=int(n), runs=10, **given) for n in sizes]
    law = ols_risk(family, n=200, **given)
    a.errorbar(sizes, [m.mean for m in found], [2 * m.error for m in found], fmt=mark, capsize=3,
               color=COLOURS[family], label=f"{family}, {law.parameters:,}")
    print(f"{family:6} {law.parameters:8,} {200:8} {law:10.4f} {found[2].mean:9.4f} "
          f"{found[2].error:6.4f}")
a.set(xscale="log", yscale="log", xlabel="samples", ylabel="risk", xticks=sizes,
      xticklabels=[str(n) for n in sizes],
      title="Lines: the law.  Marks: measured, two standard errors")
a.minorticks_off()
a.legend(title="free weights", loc="center left", bbox_to_anchor=(1, 0.5))

# %%
# What each step of the ladder buys, in samples, is the ratio of the free weights:
weights = {f: ols_risk(f, n=200, period=4 if f == "tiled" else None, **task).parameters
           for f in MARKS}
print(f"weak filters {weights['dense'] / weights['local']:.1f} times, "
      f"sharing {weights['local'] / weights['conv']:.0f} times more")

# %%
# Learning curves
# ---------------
# The same on a task with labels, and with small networks trained by descent.  Is the little wave
# upright or upside down?  It may be anywhere, in noise.


def waves(n, rng):
    """n signals (n, 1, 24) with a wave, and whether it is upright."""
    y, at = rng.integers(2, size=n), rng.integers(20, size=n)
    x = rng.standard_normal((n, 1, 24), np.float32) / 2
    for i, value in enumerate((1, -1, 2, -1, 1)):
        x[np.arange(n), 0, at + i] += value * (2 * y - 1)
    return x, y


curve = learning_curve(list(MARKS), waves, [25, 100, 400], seeds=3,
                       train=Recipe(steps=100, learning_rate=1e-2))
print(curve)

figure, a = plt.subplots(figsize=(7.4, 4), layout="constrained")
for i, (family, mark) in enumerate(MARKS.items()):
    a.errorbar(curve.sizes, 100 * curve.mean[i], 100 * curve.spread[i], fmt=f"{mark}-", capsize=3,
               color=COLOURS[family], label=family)
a.set(xscale="log", xlabel="training samples", ylabel="right on new signals, per cent",
      xticks=curve.sizes, xticklabels=[str(n) for n in curve.sizes],
      title="A wave anywhere in noise; bars: deviation over seeds")
a.minorticks_off()
a.legend(loc="lower right")

# %%
# How many samples a family needs for a level is read off the curve; a dash says that it did not
# get there with any of these sizes.
level = float(curve.mean[-1].max()) - 0.03
for family, needed in samples_to_reach(curve, level).items():
    print(f"{family:5} {'-' if needed.n is None else round(needed.n):>4} samples "
          f"for {level:.0%}")

# %%
# When sharing harms
# ------------------
# Sharing is a promise that a part means the same everywhere.  Where the label *is* the place, the
# promise is false.  Here the same motif lies in the left or in the right half, and the label says
# in which.
found = location_labels()
for name, accuracy in found.items():
    print(f"{name:21} {accuracy:.0%} right")

figure, a = plt.subplots(figsize=(7.4, 2.5), layout="constrained")
bars = a.barh(list(found), [100 * v for v in found.values()],
              color=["C1" if v < 0.9 else "C0" for v in found.values()])
a.bar_label(bars, fmt="%.0f %%", padding=4)
a.set(xlabel="right, per cent", xlim=(0, 115), title="In which half does the motif lie?")
a.invert_yaxis()

# %%
# With a global maximum after it, a convolution gives the same answer wherever the motif lies, and
# can only guess.  The remedy is not to give up the sweep: its map still holds the place.  A dense
# layer that reads the map, in the place of the maximum, finds it there.
plt.show()
