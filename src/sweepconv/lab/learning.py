"""Findings about accuracy and the number of training images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .plan import FAMILIES
from .verdict import Finding, Kind, Result, Scores, at_size, lead, scores, sharing_kind
from .words import NAMES, QUESTIONS, count, listed, mean, percent, points, round_2, times

CLEARLY_FEWER = 0.9  # a tenth fewer images: less is within what an interpolation can tell
Needs = Mapping[str, "float | None"]


def learning(result: Result) -> list[Finding]:
    """Conv against dense with the fewest and with the most images, for both questions."""
    found = []
    for name in ("centred", "moved"):
        question = result["questions"][name]
        sizes = question["sizes"]
        for i, which in ((0, "few"), (len(sizes) - 1, "many")):
            found.append(_learning(name, which, sizes[i], at_size(question, i)))
    return found


def _learning(name: str, which: str, n: int, at: Scores) -> Finding:
    seeds, kind = len(at["conv"]), sharing_kind(at)
    gap = points(abs(mean(at["conv"]) - mean(at["dense"])))
    each = f"with each of the {seeds} seeds, by {gap} on average"
    title, verdict = {
        1: (f"Conv beats dense with {which} images", f"Conv is ahead of dense {each}."),
        0: (f"No clear difference between conv and dense with {which} images",
            f"Conv and dense are {gap} apart on average: over {seeds} seeds no clear difference."),
        -1: (f"Dense beats conv with {which} images", f"Dense is ahead of conv {each}."),
    }[lead(at["conv"], at["dense"])]
    if kind == "plain":
        verdict += (" But local, with weak filters and nothing shared, is not clearly behind conv, "
                    "so weak filters alone may explain the gain.")
    best = max(FAMILIES, key=lambda f: mean(at[f]))
    if best not in ("conv", "dense"):
        verdict += f" {NAMES[best]} has the best mean."
    text = f"{QUESTIONS[name].short}, {count(n)} training images: {scores(at)}. {verdict}"
    return Finding(kind, f"{title}, {QUESTIONS[name].where}", text)


def images(result: Result) -> list[Finding]:
    """How many images each family needs for the same accuracy."""
    found = []
    for name in ("centred", "moved"):
        question, short = result["questions"][name], QUESTIONS[name].short
        level, by = question["needed"]["level"], question["needed"]["images"]
        if level is None:
            found.append(Finding("plain", f"No common accuracy, {QUESTIONS[name].where}",
                                 f"{short}: no two families come clearly above guessing, so "
                                 "images needed cannot be compared."))
            continue
        said = listed([f"{f} {needed_text(by[f], question['sizes'])}" for f in FAMILIES])
        text = f"{short}: to reach {percent(level, 0)}, {said}.{_ratio(by, question['sizes'])}"
        found.append(Finding(_needs_kind(by), f"Images needed, {QUESTIONS[name].where}", text))
    return found


def needed_text(n: float | None, sizes: Sequence[int]) -> str:
    """A number of images in words."""
    if n is None:
        return f"does not reach it with {count(sizes[-1])}"
    if n <= sizes[0]:
        return f"needs {count(sizes[0])} or fewer"
    return f"needs about {count(round_2(n))}"


def _fewer(a: float | None, b: float | None) -> bool:
    return a is not None and (b is None or a < CLEARLY_FEWER * b)


def _needs_kind(by: Needs) -> Kind:
    if not _fewer(by["conv"], by["dense"]):
        return "harms"
    return "helps" if _fewer(by["conv"], by["local"]) else "plain"


def _ratio(by: Needs, sizes: Sequence[int]) -> str:
    conv, dense = by["conv"], by["dense"]
    if conv is None or dense is None or min(conv, dense) <= sizes[0]:
        return ""
    if not _fewer(conv, dense) and not _fewer(dense, conv):
        return " Conv and dense need about as many."
    who, other, ratio = ("Dense", "conv", dense / conv) if dense > conv else (
        "Conv", "dense", conv / dense)
    return f" {who} needs {times(ratio)} as many as {other}."


def ingredients(result: Result) -> list[Finding]:
    """Which step brings the gain on moved images: weak filters, or more and more sharing."""
    question = result["questions"]["moved"]
    middle = len(question["sizes"]) // 2
    at = at_size(question, middle)
    steps = (("dense", "local", "weak filters instead of strong ones"),
             ("local", "tiled", "sharing every period"),
             ("tiled", "conv", "sharing everywhere"))
    said = [f"{what} ({less} to {more}) {_step(at[less], at[more])}" for less, more, what in steps]
    return [Finding(sharing_kind(at), "Weak filters and sharing, step by step",
                    f"Moved images, {count(question['sizes'][middle])} to train on: "
                    f"{listed(said)}.")]


def _step(less: Sequence[float], more: Sequence[float]) -> str:
    gap = mean(more) - mean(less)
    return {1: f"gains {points(gap)}", -1: f"loses {points(-gap)}",
            0: f"changes nothing clear ({gap * 100:+.1f} points)"}[lead(more, less)]
