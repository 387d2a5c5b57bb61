"""Sentences that follow from the numbers of a result, whichever way these fall.

Each rule reads a part of the result and returns what it finds there.
"""

from __future__ import annotations

from collections.abc import Callable

from .learning import images, ingredients, learning
from .plan import FAMILIES
from .verdict import Finding, Kind, Result, at_size, lead, scores, sharing_kind
from .words import NAMES, count, listed, mean, percent, pixels, strides, times

EXACT = 1e-6  # an equivariance error below is rounding of float32
NEAR_CHANCE = 0.05


def storage(result: Result) -> list[Finding]:
    """What sharing saves in weights, and what it does not save."""
    c, d = result["families"]["conv"], result["families"]["dense"]
    stored = listed([f"{f} {count(result['families'][f]['parameters'])}" for f in FAMILIES])
    text = (f"Parameters stored for maps of the same size: {stored}; dense needs "
            f"{times(d['parameters'] / c['parameters'])} as many as conv. Each conv weight is "
            f"used at {count(c['uses_per_weight'])} places of every image. Sharing saves no "
            "arithmetic: conv, tiled and local all take "
            f"{count(c['multiply_adds'])} multiply-adds an image; only the step from strong to "
            f"weak filters saves, {times(d['multiply_adds'] / c['multiply_adds'])} here.")
    return [Finding("helps", "Far fewer parameters, not less arithmetic", text)]


def equivariance(result: Result) -> list[Finding]:
    """Whose map moves with the image, and on which lattice."""
    eq, period = result["equivariance"], result["settings"]["period"]
    error = eq["error"]
    exact = [f for f in FAMILIES if error[f][0] <= EXACT]
    rest = [f"{f} by {percent(error[f][0], 0)}" for f in FAMILIES if f not in exact]
    text = f"Images moved by one stride ({strides(result['settings']['stride'])}): "
    if exact:
        bits = ("bit for bit" if all(eq["same"][f][0] == 1 for f in exact)
                else "up to rounding")
        text += f"the map of {listed(exact)} moves along exactly ({bits}). "
    text += (f"Off from the moved map: {listed(rest)}, where unrelated maps are off by about "
             "141 %." if rest else "")
    if period in eq["strides"] and "tiled" not in exact:
        later = error["tiled"][eq["strides"].index(period)]
        how = "exact too" if later <= EXACT else f"still off by {percent(later, 0)}"
        text += f" Moved by a whole period ({period} strides), tiled is {how}."
    text += " Between whole strides nothing is promised to anyone."
    kind: Kind = "helps" if "conv" in exact and "local" not in exact else "harms"
    return [Finding(kind, "The map moves with the image" if "conv" in exact
                    else "No map moves with the image exactly", text)]


def moved_tests(result: Result) -> list[Finding]:
    """Accuracy on images moved by about one stride, after training on centred ones."""
    moved, stride = result["moved_tests"], max(result["settings"]["stride"])
    i = min(range(len(moved["pixels"])), key=lambda k: abs(moved["pixels"][k] - stride))
    at = at_size(moved, i)
    change = listed([f"{f} {(mean(at[f]) - mean(moved['accuracy'][f][0])) * 100:+.1f}"
                     for f in FAMILIES])
    verdict = {1: "Conv keeps more than dense, though none was trained for it",
               0: "Conv and dense do not differ clearly",
               -1: "Dense keeps more than conv"}[lead(at["conv"], at["dense"])]
    text = (f"Trained on centred images alone, tested on images moved by "
            f"{pixels(moved['pixels'][i])}: {scores(at)}. Change in points: {change}. "
            f"{verdict}.")
    return [Finding(sharing_kind(at), "Moves not seen in training", text)]


def place(result: Result) -> list[Finding]:
    """Labels that say where: what the head must keep."""
    questions = result["questions"]
    if "place_forgotten" not in questions:
        return []
    forgotten, kept = (at_size(questions[q], 0) for q in ("place_forgotten", "place_kept"))
    lost = [f for f in FAMILIES if mean(forgotten[f]) < 0.5 + NEAR_CHANCE]
    solved = [f for f in FAMILIES if f not in lost]
    text = ("The label says at which of two places the image was put. With a head that keeps "
            f"only each map's maximum: {scores(forgotten)}. ")
    if lost:
        alike = [mean(questions["place_forgotten"]["predicted_alike"][f][0]) for f in lost]
        text += f"{listed(lost).capitalize()} can only guess"
        text += (": every image gets the same answer at both places. "
                 if all(a == 1 for a in alike) else ". ")
    if solved and lost:
        text += f"{listed(solved).capitalize()} can tell. "
    text += f"With the usual head, which keeps halves of the map apart: {scores(kept)}."
    if "conv" in lost:
        return [Finding("harms", "Meaning that depends on place is lost", text)]
    return [Finding("plain", "Meaning that depends on place", text)]


def shuffled(result: Result) -> list[Finding]:
    """One fixed new order of the pixels: neighbourhood is gone, information is not."""
    question, ordered = result["questions"]["shuffled"], result["questions"]["moved"]
    n = question["sizes"][0]
    before, after = at_size(ordered, ordered["sizes"].index(n)), at_size(question, 0)
    change = listed([f"{f} {(mean(after[f]) - mean(before[f])) * 100:+.1f}" for f in FAMILIES])
    was, still = lead(before["conv"], before["dense"]), lead(after["conv"], after["dense"])
    verdict = {1: "Conv is still ahead of dense" if was > 0 else "Conv is now ahead of dense",
               0: "Conv is no longer clearly ahead of dense" if was > 0
               else "Conv is not clearly ahead of dense",
               -1: "Dense is now ahead of conv" if was >= 0 else "Dense is still ahead of conv",
               }[still]
    text = (f"All pixels of the moved images in one other, fixed order, {count(n)} to train on: "
            f"{scores(after)}. Change in points: {change}. {verdict}.")
    if was > 0 and still <= 0:
        text += " What sharing gave rests on neighbouring pixels belonging together."
        return [Finding("harms", "Without neighbourhood the gain is gone", text)]
    return [Finding("plain" if still > 0 else "harms", "Pixels in another order", text)]


RULES: tuple[Callable[[Result], list[Finding]], ...] = (
    storage, learning, images, ingredients, equivariance, moved_tests, place, shuffled)


def findings(result: Result) -> list[Finding]:
    """All that follows from everything but the timings: the same for the same seed."""
    return [finding for rule in RULES for finding in rule(result)]


def timing_findings(result: Result) -> list[Finding]:
    """What the clock says; differs from run to run."""
    sweeps, costs = result["timings"]["sweeps"], result["families"]
    total = {f: sum(way["min"] for way in sweeps[f].values()) for f in FAMILIES}
    order = sorted(FAMILIES, key=total.__getitem__)
    said = listed([f"{f} {total[f]:.2f} ms" for f in order])

    def ratio(key: str) -> str:
        return times(total["conv"] / costs["conv"][key] * costs["dense"][key] / total["dense"])

    text = (f"Forward and backward of the first layer for "
            f"{result['settings']['timing_batch']} images, least of several rounds: {said}. "
            f"For each parameter conv takes "
            f"{ratio('parameters')} the time of dense, as each is used at "
            f"{count(costs['conv']['uses_per_weight'])} places, and for each multiply-add "
            f"{ratio('multiply_adds')} the time.")
    kind: Kind = "helps" if order[0] in ("conv", "tiled") else "harms"
    return [Finding(kind, f"{NAMES[order[0]]} is the fastest here", text)]
