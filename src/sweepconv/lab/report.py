"""A result as one HTML file that needs nothing else, for readers who are no specialists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from sweepconv.output.page import figure, image, page, panels, paragraph, section

from . import plots
from .findings import findings, timing_findings
from .plan import FAMILIES
from .plots import COLOURS
from .rasters import map_picture, mosaic, peak, picture
from .sketch import marker, sketch
from .table import needed_cell, sections, task_name
from .verdict import Finding, Result, at_size
from .words import NAMES, QUESTIONS, QUICK, WHAT, count, percent, strides

KINDS = {"helps": "sharing helps", "harms": "sharing does not help, or harms",
         "plain": "no verdict on sharing"}
LEGEND = ('<div class="legend">'
          + "".join(f"<span>{marker(f)}{f}</span>" for f in FAMILIES) + "</div>")


def _opening(result: Result) -> str:
    settings = result["settings"]
    cards = "".join(
        f'<div style="border-color:{COLOURS[f]}"><h3>{NAMES[f]}</h3>{sketch(f)}'
        f"<p>{escape(WHAT[f][0].upper() + WHAT[f][1:])}.</p></div>" for f in FAMILIES)
    return "\n".join((
        "<h1>What sharing a filter buys, and what it costs</h1>",
        paragraph(f"The same small network, four times, on {settings['data']}: "
                  f"{task_name(settings)} Only the first layer differs.", "lead"),
        paragraph("A strong filter is as big as the image and finds a whole pattern at one place. "
                  "A weak filter is small; the layer puts it at many places and notes how well "
                  "it fits at each, which gives a map. If every place has its own weak filter, "
                  "each must be learned from what happens there. If the places share one, "
                  "whatever is learned at one place is known at all."),
        f'<div class="cards">{cards}</div>',
        paragraph("Equal letters mean: the same filter, learned once."),
    ))


def _findings(found: Sequence[Finding]) -> str:
    items = "".join(f'<li class="{f.kind}"><span class="kind">{KINDS[f.kind]}</span>'
                    f"<h3>{escape(f.title)}</h3>{escape(f.text)}</li>" for f in found)
    return f'<ul class="findings">{items}</ul>'


def _table(result: Result) -> str:
    head = "".join(f"<th>{marker(f)}{f}</th>" for f in FAMILIES)
    rows = []
    for title, lines in sections(result):
        rows.append(f'<tr class="section"><th colspan="5">{escape(title)}</th></tr>')
        for line in lines:
            cells = "".join(f'<td{" class=best" if i in line.best else ""}>{escape(cell)}</td>'
                            for i, cell in enumerate(line.cells))
            rows.append(f"<tr><td>{escape(line.label)}</td>{cells}</tr>")
    return (f'<div class="scroll"><table><thead><tr><th></th>{head}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>")


def _costs(result: Result) -> str:
    costs = result["families"]
    shown = (("parameters", "Parameters to learn", "Look at the step from each bar to the next."),
             ("uses_per_weight", "Uses of each weight per image",
              "The other side of sharing: few weights, each with many occasions to learn."),
             ("multiply_adds", "Multiply-adds per image",
              "Three bars are equal: sharing saves memory, not arithmetic."))
    figures = []
    for key, title, caption in shown:
        values = {f: costs[f][key] for f in FAMILIES}
        figures.append(figure(plots.bars(values, title, list(map(count, values.values()))),
                              caption))
    return panels(*figures, kind="small")


def _curves(result: Result) -> str:
    figures = []
    for name in ("centred", "moved"):
        question = result["questions"][name]
        explained = QUESTIONS[name].explained.format(reach=result["settings"]["reach"])
        figures.append(figure(
            plots.learning_curve(question, QUESTIONS[name].short),
            f"{explained[0].upper() + explained[1:]}. Look at the left end, where images are few, "
            "and at whether the order is still the same at the right end. Bands: one standard "
            "deviation over the seeds; dashed: guessing; thin line: the accuracy below."))
    return LEGEND + panels(*figures) + panels(*_needed(result))


def _needed(result: Result) -> list[str]:
    figures = []
    for name in ("centred", "moved"):
        question = result["questions"][name]
        level, by = question["needed"]["level"], question["needed"]["images"]
        if level is None or all(n is None for n in by.values()):
            continue
        title = f"Images needed for {percent(level, 0)}, {QUESTIONS[name].where}"
        said = [needed_cell(by[f], question["sizes"][0]) for f in FAMILIES]
        figures.append(figure(
            plots.bars(by, title, said, width=4.6),
            "The highest accuracy, in steps of 5 %, that at least two families reach, read off "
            "the curves above. A shorter bar is better."))
    return figures


def _moves(result: Result) -> str:
    return LEGEND + panels(
        figure(plots.map_error(result),
               "The image is moved, and the first layer's map ought to move with it. Look for "
               "points on the zero line: there the map moves exactly. 141 % is what two "
               "unrelated maps would give."),
        figure(plots.moved_accuracy(result),
               "Networks that saw centred images only. Look at how fast each line falls."))


def _maps(result: Result) -> str:
    pictures = result["pictures"]
    if pictures is None:
        return paragraph("Pictures are drawn for images with two axes only.")
    by = pictures["moved_by"]
    steps = [b // s for b, s in zip(by, result["settings"]["stride"], strict=True)]
    images = figure(
        f'<div class="pair">{image(picture(pictures["image"]), "test image")}'
        f'{image(picture(pictures["moved_image"]), "the same, moved")}</div>',
        f"A test image, and the same moved by {abs(by[1])} pixels.")
    figures = []
    for family in FAMILIES:
        shown = pictures["families"][family]
        at = peak(shown["map"])
        expected = (at[0] + steps[0], at[1] + steps[1])
        inside = all(0 <= e < n for e, n in zip(expected, result["settings"]["out"], strict=True))
        figures.append(figure(
            f'<h3>{marker(family)}{NAMES[family]}</h3><div class="pair">'
            + image(map_picture(shown["map"], at, COLOURS[family]), f"{family}, map")
            + image(map_picture(shown["moved_map"], expected if inside else None,
                                COLOURS[family]), f"{family}, map of the moved image")
            + "</div>", "" if inside else "The strongest answer has left the map."))
    return panels(images, kind="four") + panels(*figures, kind="four")


def _filters(result: Result) -> str:
    pictures = result["pictures"]
    if pictures is None:
        return ""
    size = " x ".join(map(str, result["settings"]["kernel"]))
    whole = " x ".join(map(str, result["settings"]["in_size"]))
    captions = {
        "dense": f"{whole} weights each: one map's filters at neighbouring places. Look for "
                 "noise where the images were always empty.",
        "local": f"{size} weights each: one map's filters at neighbouring places, each learned "
                 "alone.",
        "tiled": f"{size} weights each: a row is one map with its filters of one period.",
        "conv": f"{size} weights each: one filter a map, and this is all there is.",
    }
    return panels(*(figure(
        f"<h3>{marker(f)}{NAMES[f]}</h3>"
        + image(mosaic(pictures["families"][f]["filters"]), f"filters of {f}"), captions[f])
        for f in FAMILIES), kind="four")


def _place(result: Result) -> str:
    questions = result["questions"]
    rows = [(QUESTIONS[q].short, at_size(questions[q], 0), questions[q]["chance"])
            for q in ("place_kept", "place_forgotten") if q in questions]
    shuffled, moved = questions["shuffled"], questions["moved"]
    i = moved["sizes"].index(shuffled["sizes"][0])
    order = [("In order", at_size(moved, i), moved["chance"]),
             ("Shuffled", at_size(shuffled, 0), moved["chance"])]
    figures = [figure(plots.dots(order, "Pixels in order, and shuffled"),
                      "The same moved images, with pixels in order and in one other, fixed order. "
                      "Look at who loses by it: a dense layer does not know which pixels are "
                      "neighbours, so it has nothing to lose.")]
    if rows:
        figures.append(figure(
            plots.dots(rows, "At which of two places is the image?"),
            "The answer is a place. Kept: the head sees two halves of each map. Forgotten: it "
            "sees each map's maximum alone. Look at who falls to the dashed line of guessing."))
    return LEGEND + panels(*figures)


def _timings(result: Result) -> str:
    sweeps = result["timings"]["sweeps"]
    total = {f: sum(way["min"] for way in sweeps[f].values()) for f in FAMILIES}
    rows = "".join(
        f"<tr><td>{marker(f)}{f}</td>" + "".join(
            f"<td>{sweeps[f][way]['median']:.2f}</td><td>{sweeps[f][way]['min']:.2f}</td>"
            for way in ("forward", "backward"))
        + f"<td>{total[f] * 1e6 / result['families'][f]['parameters']:.2f}</td></tr>"
        for f in FAMILIES)
    return (paragraph(f"First layer, {result['settings']['timing_batch']} images, milliseconds. "
                      "These figures vary from run to run; all others do not.")
            + '<div class="scroll"><table><thead><tr><th></th>'
              "<th>forward, median</th><th>least</th><th>backward, median</th><th>least</th>"
              "<th>ns per parameter</th></tr></thead>"
              f"<tbody>{rows}</tbody></table></div>"
            + _findings(timing_findings(result)))


def _method(result: Result) -> str:
    s, e = result["settings"], result["environment"]
    said = (
        f"{count(s['images'])} images of shape {tuple(s['in_size'])}, {count(s['tested'])} of them "
        "kept for testing, drawn anew for each seed within each class. "
        f"First layer: {s['maps']} maps of {' x '.join(map(str, s['out']))} places; weak filters "
        f"{' x '.join(map(str, s['kernel']))}, stride {strides(s['stride'])}, period "
        f"{s['period']}, no padding; the dense layer has the same number of outputs. "
        f"Head: max pooling ({' x '.join(map(str, s['window']))}), ReLU, one dense layer. "
        f"Training: {s['steps']} steps of Adam, learning rate {s['learning_rate']}, batches of "
        f"{s['batch']} in which every class is drawn equally often; the same budget, images and "
        "batches for all. Nothing was tuned per family, and there is one layer of filters only: "
        "deeper networks and more tuning would move all the curves. "
        "Accuracy is balanced: the mean over the classes of the share recognised. "
        f"A family counts as ahead only if it is with each of the {s['seeds']} seeds.")
    kept = {key: s[key] for key in ("data", "target", "seed", "seeds", "quick", "n_threads")}
    return (paragraph(said) + f"<pre>{escape(json.dumps(kept))}\n"
            f"{escape(json.dumps(e, indent=1))}</pre>"
            + paragraph("All figures, one by one and for each seed, are in compare.json."))


def html(result: Result) -> str:
    """The whole report."""
    body = "\n".join((
        _opening(result),
        section("Findings", paragraph("Written from the numbers of this run."),
                paragraph(QUICK, "note") if result["settings"]["quick"] else "",
                _findings(findings(result))),
        section("All figures", paragraph(
            f"Accuracy in per cent, mean ± standard deviation of {result['settings']['seeds']} "
            "seeds; bold: the highest. Guessing gives "
            f"{percent(result['questions']['centred']['chance'], 0)}."), _table(result)),
        section("What is stored, and what is computed", _costs(result)),
        section("How many images must be seen", _curves(result)),
        section("When the image moves", _moves(result)),
        section("Where a filter found its pattern",
                paragraph("Dark: strong answer. The frame marks the strongest answer, and in the "
                          "second map the place to which it should have moved. Look whether the "
                          "dark cell is in the frame."), _maps(result)),
        section("What was learned", paragraph("Blue: positive weight, red: negative."),
                _filters(result)),
        section("When meaning depends on place", _place(result)),
        section("Time", _timings(result)),
        section("How it was measured", _method(result)),
    ))
    return page("sweepconv compare", body)
