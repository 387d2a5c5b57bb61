"""Sentences that follow from the numbers of a result, whichever way these fall.

Each rule reads a part of the result and returns findings of one of three kinds: "helps", "harms"
(or does not help) and "plain".  A family counts as ahead of another only if it is ahead with every
seed, and by half a point or more on average.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .plan import FAMILIES
from .words import NAMES, QUESTIONS, count, listed, mean, percent, points, times

Result: TypeAlias = "Mapping[str, Any]"
Kind: TypeAlias = Literal["helps", "harms", "plain"]

LEAST_LEAD = 0.005  # half a point: what one image in two hundred makes
EXACT = 1e-6  # an error below is rounding of float32
NEAR_CHANCE = 0.05


@dataclass(frozen=True)
class Finding:
    kind: Kind
    title: str
    text: str


def lead(a: Sequence[float], b: Sequence[float]) -> int:
    """1 if a is ahead of b with every seed, -1 if behind, 0 if neither is clear."""
    gap = mean(a) - mean(b)
    if all(p > q for p, q in zip(a, b, strict=True)) and gap >= LEAST_LEAD:
        return 1
    if all(p < q for p, q in zip(a, b, strict=True)) and -gap >= LEAST_LEAD:
        return -1
    return 0


def _at(question: Mapping[str, Any], i: int) -> dict[str, list[float]]:
    return {f: question["accuracy"][f][i] for f in FAMILIES}


def _scores(at: Mapping[str, Sequence[float]]) -> str:
    """All families, best first."""
    order = sorted(FAMILIES, key=lambda f: -mean(at[f]))
    return listed([f"{f} {percent(mean(at[f]))}" for f in order])


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


def learning(result: Result) -> list[Finding]:
    """Conv against dense with the fewest and with the most images, for both questions."""
    found = []
    for name in ("centred", "moved"):
        question = result["questions"][name]
        sizes = question["sizes"]
        for i, which in ((0, "few"), (len(sizes) - 1, "many")):
            found.append(_learning(name, which, sizes[i], _at(question, i)))
    return found


def _learning(name: str, which: str, n: int, at: dict[str, list[float]]) -> Finding:
    seeds = len(at["conv"])
    gap = points(abs(mean(at["conv"]) - mean(at["dense"])))
    ahead = lead(at["conv"], at["dense"])
    kind: Kind = "helps" if ahead > 0 else "harms"
    title, verdict = {
        1: (f"Conv wins with {which} images", "Conv is ahead of dense"),
        0: (f"No clear winner between conv and dense with {which} images",
            "Conv and dense are not in the same order"),
        -1: (f"Dense wins with {which} images", "Dense is ahead of conv"),
    }[ahead]
    verdict += f" with {'each' if ahead else 'all'} of the {seeds} seeds ({gap} apart on average)."
    best = max(FAMILIES, key=lambda f: mean(at[f]))
    tied = [f for f in FAMILIES if f != best and lead(at[best], at[f]) <= 0]
    first = (f"{NAMES[best]} is best, but not clearly ahead of {listed(tied)}." if tied
             else f"{NAMES[best]} is ahead of all others with each seed.")
    text = f"{QUESTIONS[name].short}, {count(n)} training images: {_scores(at)}. {verdict} {first}"
    return Finding(kind, f"{title}, {QUESTIONS[name].where}", text)


def images(result: Result) -> list[Finding]:
    """How many images each family needs for the same accuracy."""
    found = []
    for name in ("centred", "moved"):
        question = result["questions"][name]
        level, by = question["needed"]["level"], question["needed"]["images"]
        if level is None:
            found.append(Finding("plain", f"No common accuracy, {QUESTIONS[name].where}",
                                 f"{QUESTIONS[name].short}: no two families come clearly above "
                                 "guessing, so images needed cannot be compared."))
            continue
        said = [f"{f} {needed_text(by[f], question['sizes'])}" for f in FAMILIES]
        text = (f"{QUESTIONS[name].short}: to reach {percent(level, 0)}, "
                f"{listed(said)}.{_ratio(by, question['sizes'])}")
        kind: Kind = "helps" if _needs_fewer(by) else "harms"
        found.append(Finding(kind, f"Images needed, {QUESTIONS[name].where}", text))
    return found


def needed_text(n: float | None, sizes: Sequence[int]) -> str:
    """A number of images in words."""
    if n is None:
        return f"does not reach it with {count(sizes[-1])}"
    if n <= sizes[0]:
        return f"needs {count(sizes[0])} or fewer"
    return f"needs about {count(round_2(n))}"


def round_2(n: float) -> int:
    """Two significant digits: an interpolated number of images has no more."""
    return int(float(f"{n:.2g}"))


def _needs_fewer(by: Mapping[str, float | None]) -> bool:
    return by["conv"] is not None and (by["dense"] is None or by["conv"] < 0.9 * by["dense"])


def _ratio(by: Mapping[str, float | None], sizes: Sequence[int]) -> str:
    conv, dense = by["conv"], by["dense"]
    if conv is None or dense is None:
        return ""
    if min(conv, dense) <= sizes[0]:
        return ""
    ratio = dense / conv
    if 0.9 <= ratio <= 1 / 0.9:
        return " Conv and dense need about as many."
    who, other = ("Dense", "conv") if ratio > 1 else ("Conv", "dense")
    return f" {who} needs {times(max(ratio, 1 / ratio))} as many as {other}."


def ingredients(result: Result) -> list[Finding]:
    """Which of the two steps, weak filters or sharing, brings the gain on moved images."""
    question = result["questions"]["moved"]
    middle = len(question["sizes"]) // 2
    at, n = _at(question, middle), question["sizes"][middle]
    said = []
    for less, more, what in (("dense", "local", "weak filters instead of strong ones"),
                             ("local", "tiled", "sharing every period"),
                             ("tiled", "conv", "sharing everywhere")):
        gap = mean(at[more]) - mean(at[less])
        clear = {1: "gains", -1: "loses", 0: "changes nothing clear"}[lead(at[more], at[less])]
        amount = points(abs(gap)) if lead(at[more], at[less]) else f"{gap * 100:+.1f} points"
        said.append(f"{what} ({less} to {more}) {clear} "
                    f"{f'({amount})' if clear.startswith('changes') else amount}")
    total = lead(at["conv"], at["dense"])
    return [Finding("helps" if total > 0 else "harms", "Weak filters and sharing, step by step",
                    f"Moved images, {count(n)} to train on: {listed(said)}.")]


def equivariance(result: Result) -> list[Finding]:
    """Whose map moves with the image, and on which lattice."""
    eq, period = result["equivariance"], result["settings"]["period"]
    stride = max(result["settings"]["stride"])
    error = eq["error"]
    one = {f: error[f][0] for f in FAMILIES}
    exact = [f for f in FAMILIES if one[f] <= EXACT]
    rest = [f"{f} by {percent(one[f], 0)}" for f in FAMILIES if f not in exact]
    text = f"Images moved by one stride ({stride} {'pixel' if stride == 1 else 'pixels'}): "
    if exact:
        bits = ("bit for bit" if all(eq["same"][f][0] == 1 for f in exact)
                else "up to rounding")
        text += f"the map of {listed(exact)} moves along exactly ({bits}). "
    text += (f"Off from the moved map: {listed(rest)}, where unrelated maps are off by about "
             "141 %." if rest else "")
    if period in eq["strides"] and one["tiled"] > EXACT:
        later = error["tiled"][eq["strides"].index(period)]
        how = "exact too" if later <= EXACT else f"still off by {percent(later, 0)}"
        text += f" Moved by a whole period ({period} strides), tiled is {how}."
    text += " Between whole strides nothing is promised to anyone."
    kind: Kind = "helps" if "conv" in exact else "harms"
    return [Finding(kind, "The map moves with the image", text)]


def moved_tests(result: Result) -> list[Finding]:
    """Accuracy on images moved farther than any seen in training."""
    moved = result["moved_tests"]
    pixels = moved["pixels"]
    i = min(range(len(pixels)), key=lambda k: abs(pixels[k] - max(result["settings"]["stride"])))
    at = {f: moved["accuracy"][f][i] for f in FAMILIES}
    fall = {f: mean(moved["accuracy"][f][0]) - mean(at[f]) for f in FAMILIES}
    ahead = lead(at["conv"], at["dense"])
    verdict = {1: "Conv keeps more than dense, though none was told to expect it",
               0: "Conv and dense do not differ clearly",
               -1: "Dense keeps more than conv"}[ahead]
    text = (f"Trained on centred images alone, tested on images moved by {pixels[i]} "
            f"{'pixel' if pixels[i] == 1 else 'pixels'}: {_scores(at)}. {verdict}; conv falls by "
            f"{points(fall['conv'])}, dense by {points(fall['dense'])}.")
    return [Finding("helps" if ahead > 0 else "harms", "Moves not seen in training", text)]


def place(result: Result) -> list[Finding]:
    """Labels that say where: what the head must keep."""
    questions = result["questions"]
    if "place_forgotten" not in questions:
        return []
    forgotten, kept = (_at(questions[q], 0) for q in ("place_forgotten", "place_kept"))
    lost = [f for f in FAMILIES if mean(forgotten[f]) < 0.5 + NEAR_CHANCE]
    solved = [f for f in FAMILIES if f not in lost]
    text = ("The label says at which of two places the image was put. With a head that keeps "
            f"only each map's maximum: {_scores(forgotten)}. ")
    if lost:
        text += f"{listed(lost).capitalize()} can only guess"
        alike = [questions["place_forgotten"]["predicted_alike"][f][0] for f in lost]
        same = all(mean(a) == 1 for a in alike)
        text += (": a shared filter gives the same answers at both places. " if same else ". ")
    if solved and lost:
        text += f"{listed(solved).capitalize()} can tell, having other filters at other places. "
    text += f"With the usual head, which keeps halves of the map apart: {_scores(kept)}."
    kind: Kind = "harms" if "conv" in lost else "plain"
    return [Finding(kind, "Meaning that depends on place is lost" if kind == "harms"
                    else "Meaning that depends on place", text)]


def shuffled(result: Result) -> list[Finding]:
    """One fixed new order of the pixels: neighbourhood is gone, information is not."""
    question, ordered = result["questions"]["shuffled"], result["questions"]["moved"]
    n = question["sizes"][0]
    before = _at(ordered, ordered["sizes"].index(n))
    after = _at(question, 0)
    change = {f: mean(after[f]) - mean(before[f]) for f in FAMILIES}
    said = listed([f"{f} {change[f] * 100:+.1f}" for f in FAMILIES])
    ahead = lead(after["conv"], after["dense"])
    verdict = {1: "Conv is still ahead of dense", 0: "Conv is no longer clearly ahead of dense",
               -1: "Dense is now ahead of conv"}[ahead]
    if ahead == 0 and lead(before["conv"], before["dense"]) <= 0:
        verdict = "Conv is not clearly ahead of dense, before or after"
    text = (f"All pixels of the moved images in one other, fixed order, {count(n)} to train on: "
            f"{_scores(after)}. Change in points: {said}. {verdict}: what sharing gives rests on "
            "neighbouring pixels belonging together.")
    worse = change["conv"] < change["dense"] - LEAST_LEAD
    return [Finding("harms" if worse or ahead <= 0 else "plain",
                    "Without neighbourhood the gain is gone" if worse and ahead <= 0
                    else "Pixels in another order", text)]


RULES: tuple[Callable[[Result], list[Finding]], ...] = (
    storage, learning, images, ingredients, equivariance, moved_tests, place, shuffled)


def findings(result: Result) -> list[Finding]:
    """All that follows from everything but the timings: the same for the same seed."""
    return [finding for rule in RULES for finding in rule(result)]


def timing_findings(result: Result) -> list[Finding]:
    """What the clock says; differs from run to run."""
    sweeps, costs = result["timings"]["sweeps"], result["families"]
    total = {f: sum(way["median"] for way in sweeps[f].values()) for f in FAMILIES}
    order = sorted(FAMILIES, key=total.__getitem__)
    said = listed([f"{f} {total[f]:.2f} ms" for f in order])
    per = {f: total[f] / costs[f]["parameters"] for f in FAMILIES}
    rate = {f: total[f] / costs[f]["multiply_adds"] for f in FAMILIES}
    text = (f"Forward and backward of the first layer for "
            f"{result['settings']['timing_batch']} images: {said}. For each parameter conv takes "
            f"{times(per['conv'] / per['dense'])} the time of dense, as each is used at "
            f"{count(costs['conv']['uses_per_weight'])} places, and for each multiply-add "
            f"{times(rate['conv'] / rate['dense'])} the time.")
    kind: Kind = "helps" if order[0] == "conv" else "harms"
    return [Finding(kind, f"{NAMES[order[0]]} is the fastest here", text)]
