"""The page as people use it: with a mouse, a finger, or the keyboard alone."""

import re
from typing import Any

import pytest

from .conftest import PHONE, Open

# The page shows what a change brings in the next frame; texts are waited for, not slept for.
WAIT = "([id, text]) => document.getElementById(id).textContent.includes(text)"


def wait(page: Any, name: str, text: str) -> None:
    page.wait_for_function(WAIT, arg=[name, text])


def text(page: Any, name: str) -> str:
    page.evaluate("new Promise(requestAnimationFrame)")
    return str(page.locator(f"#{name}").text_content())


def ink(page: Any) -> int:
    page.evaluate("new Promise(requestAnimationFrame)")
    return int(page.evaluate("derived.x.values.reduce((a, b) => a + b, 0)"))


def cell_point(page: Any, canvas: str, row: int, column: int) -> tuple[float, float]:
    """The middle of one of 28 x 28 cells, on the screen."""
    page.locator(f"#{canvas}").scroll_into_view_if_needed()
    box = page.locator(f"#{canvas}").bounding_box()
    return (box["x"] + (column + 0.5) * box["width"] / 28,
            box["y"] + (row + 0.5) * box["height"] / 28)


def drag(page: Any, start: tuple[int, int], end: tuple[int, int]) -> None:
    page.mouse.move(*cell_point(page, "image", *start))
    page.mouse.down()
    page.mouse.move(*cell_point(page, "image", *end), steps=5)
    page.mouse.up()


def choose(page: Any, name: str, value: str) -> None:
    page.locator(f"label:has(input[name={name}][value=\"{value}\"])").click()


def colours(page: Any, canvas: str) -> int:
    return int(page.evaluate("""id => { const c = document.getElementById(id);
        const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
        return new Set(new Uint32Array(data.buffer)).size; }""", canvas))


# Moving


def test_a_drag_moves_the_digit_and_its_map(page: Any) -> None:
    drag(page, (14, 14), (16, 19))
    wait(page, "digit-shift", "(2, 5)")
    assert text(page, "peak-shift") == text(page, "peak-pixels") == "(2, 5)"
    assert text(page, "verdict") == "Equal bits in all 784 cells."
    assert text(page, "weak-share") == "100\u00a0%"
    strong = int(text(page, "strong-share").replace("\u2212", "-").rstrip("\u00a0%"))
    assert strong < 50


def test_arrow_keys_and_buttons_move_it(page: Any) -> None:
    page.locator("#image").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    wait(page, "digit-shift", "(1, \u22121)")
    page.get_by_role("button", name="Move right").click()
    page.get_by_role("button", name="Move right").click()
    wait(page, "digit-shift", "(1, 1)")
    wait(page, "live", "The digit moved 1 down and 1 right.")
    wait(page, "live", "moved 1 down and 1 right, in pixels. Equal bits in all 784 cells.")
    page.get_by_role("button", name="Start from here").click()
    wait(page, "digit-shift", "(0, 0)")
    assert text(page, "strong-share") == "100\u00a0%"


def test_a_way_around_the_image_ends_at_the_start(page: Any) -> None:
    page.locator("#image").focus()
    for _ in range(28):
        page.keyboard.press("ArrowRight")
    wait(page, "digit-shift", "(0, 0)")


# Drawing


def test_draw_erase_and_clear_with_the_mouse(page: Any) -> None:
    page.get_by_role("button", name="Clear").click()
    assert ink(page) == 0
    assert text(page, "strong-share") == "no figure"
    choose(page, "tool", "draw")
    drag(page, (5, 5), (5, 20))
    drawn = ink(page)
    assert drawn > 16 * 9
    choose(page, "tool", "erase")
    drag(page, (5, 12), (5, 25))
    assert 0 < ink(page) < drawn
    page.get_by_role("button", name="Clear").click()
    assert ink(page) == 0


def test_draw_with_the_keyboard_alone(page: Any) -> None:
    page.get_by_role("button", name="Clear").press("Enter")
    page.locator("input[name=tool][value=move]").focus()
    page.keyboard.press("ArrowRight")  # as radio buttons do: on to Draw
    page.locator("#image").focus()
    page.keyboard.press("Space")
    once = ink(page)
    assert once == 9 + 4 * 7
    page.keyboard.press("ArrowRight")
    wait(page, "live", "Row 15, column 16")
    page.keyboard.press("Space")
    assert ink(page) > once


def test_draw_with_a_finger(open_page: Open) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="Clear").tap()
    page.locator("label:has(input[value=draw])").tap()
    page.touchscreen.tap(*cell_point(page, "image", 14, 14))
    assert ink(page) == 9 + 4 * 7


def test_what_is_drawn_after_a_move_stays_where_it_was_drawn(page: Any) -> None:
    page.get_by_role("button", name="Move right").click()
    choose(page, "tool", "draw")
    page.mouse.click(*cell_point(page, "image", 2, 3))
    wait(page, "digit-shift", "(0, 0)")
    assert page.evaluate("derived.x.values[2 * 28 + 3]") == 9


def test_every_digit_can_be_chosen(page: Any) -> None:
    buttons = page.locator("#samples button")
    seen = set()
    for i in range(buttons.count()):
        buttons.nth(i).click()
        seen.add(ink(page))
    assert len(seen) == buttons.count() >= 1


# Stride, padding, pooling


def test_stride_breaks_the_equality_off_its_multiples(page: Any) -> None:
    choose(page, "stride", "2")
    page.locator("#image").focus()
    page.keyboard.press("ArrowRight")
    wait(page, "reason", "no multiple of the stride 2")
    wait(page, "said", "and did not move.")
    assert re.search(r"^\d+ of 196 cells unequal, by \d+ at most\.$", text(page, "verdict"))
    assert "broken" in page.locator("#verdict").get_attribute("class")
    assert int(text(page, "largest")) > 0
    page.keyboard.press("ArrowRight")
    wait(page, "verdict", "Equal bits in all 196 cells.")
    assert text(page, "peak-shift") == "(0, 1)"
    assert text(page, "peak-pixels") == "(0, 2)"


def test_padding_and_pooling_change_what_is_compared(page: Any) -> None:
    page.locator("#image").focus()
    page.keyboard.press("ArrowRight")
    choose(page, "padding", "none")
    wait(page, "verdict", "Equal bits in all 552 cells.")  # 24 x 24 less the new column
    page.get_by_label("Swap ink and paper").check()
    wait(page, "verdict", "Equal bits in all 552 cells.")
    choose(page, "padding", "zeros")
    wait(page, "reason", "Zero padding")
    assert "unequal" in text(page, "verdict")
    choose(page, "padding", "circular")
    wait(page, "verdict", "Equal bits in all 784 cells.")
    page.get_by_label("Pooling 2 x 2").check()
    wait(page, "reason", "the step of 2 (stride 1, then pooling by 2)")


def test_sizes_of_the_filter(page: Any) -> None:
    choose(page, "padding", "none")
    for size, cells in (("3", 26), ("7", 22), ("5", 24)):
        choose(page, "size", size)
        taps = int(size) ** 2
        wait(page, "cell-words", f"the {cells} x {cells} map: the sum of {taps} products")
        assert page.locator("#taps input").count() == taps


@pytest.mark.parametrize("name", ["semicircle", "angle", "horizontal", "vertical"])
def test_every_filter_answers(page: Any, name: str) -> None:
    page.locator("#filter").select_option(name)
    page.evaluate("new Promise(requestAnimationFrame)")
    assert page.evaluate("peak(derived.map).value") > 50


@pytest.mark.parametrize(("button", "equal"), [
    ("Move by (2, 3)", True), ("Stride 2, move by 2", True), ("Stride 2, move by 1", False),
    ("Stride 3, move by 12", False), ("Zero padding, ink as paper", False), ("No padding", True),
    ("Zero padding, empty border", True), ("Move by (5, 8)", True),
    ("Pooling, move by 1", False)])
def test_experiments_show_what_they_say(page: Any, button: str, equal: bool) -> None:
    page.get_by_role("button", name=button).click()
    wait(page, "verdict", "Equal bits" if equal else "unequal")
    assert page.get_by_text(text(page, "verdict")).last.is_visible()


def test_all_experiments_are_tested(page: Any) -> None:
    assert page.locator("[data-try]").count() == 9


# The sweep and its sums


def test_the_sweep_plays_pauses_and_ends(page: Any) -> None:
    choose(page, "stride", "4")
    page.locator("#speed").select_option("4")  # 12 seconds for the 49 cells: time to pause
    play = page.locator("#play")
    play.click()
    assert play.text_content() == "Pause"
    page.wait_for_function("() => state.cell > 3")
    play.click()
    assert play.text_content() == "Sweep"
    stopped = page.evaluate("[state.cell, state.made]")
    assert stopped[1] == stopped[0] + 1
    page.get_by_role("button", name="One cell on").click()
    assert page.evaluate("state.cell") == stopped[0] + 1
    page.get_by_role("button", name="One cell back").click()
    assert page.evaluate("state.cell") == stopped[0]
    page.mouse.click(*cell_point(page, "map", 1, 1))
    assert page.evaluate("[state.cell, state.made === Infinity]") == [0, True]
    page.locator("#speed").select_option("120")
    play.click()
    page.wait_for_function("() => state.made === Infinity && timer === null")
    assert page.evaluate("state.cell") == 48


def test_less_motion_makes_a_row_at_a_time(open_page: Open) -> None:
    page = open_page(reduced_motion="reduce")
    page.locator("#play").click()
    page.wait_for_function("() => state.cell > 0")
    assert page.evaluate("state.cell") == 28


def test_the_numbers_of_a_cell_add_up(page: Any) -> None:
    for row, column in ((8, 13), (0, 0), (20, 12)):
        page.mouse.click(*cell_point(page, "map", row, column))
        wait(page, "cell-words", f"Row {row + 1}, column {column + 1} of the 28 x 28 map")
        seen, products = (
            [int(t.replace("\u2212", "-")) for t in page.locator(f"#{name} span").all_inner_texts()]
            for name in ("window", "products"))
        taps = page.evaluate("Array.from(state.taps.values)")
        assert products == [a * b for a, b in zip(seen, taps, strict=True)]
        assert int(text(page, "sum").replace("\u2212", "-")) == sum(products)
        assert text(page, "framed") == text(page, "sum")
    page.locator("#map").focus()
    page.keyboard.press("ArrowUp")
    wait(page, "live", "Row 20, column 13 of the 28 x 28 map: the sum of 25 products is")


def test_taps_of_your_own(page: Any) -> None:
    taps = page.locator("#taps input")
    taps.nth(12).fill("0.5")
    assert page.locator("#filter").input_value() == "own"
    taps.nth(12).press("ArrowRight")
    page.keyboard.type("-3")
    assert page.evaluate("[12, 13].map(t => state.taps.values[t])") == [0.5, -3]
    taps.nth(0).fill("x")
    assert taps.nth(0).get_attribute("aria-invalid") == "true"
    choose(page, "size", "7")
    assert page.evaluate("[24, 25].map(t => state.taps.values[t])") == [0.5, -3]
    assert page.evaluate("state.taps.values[0]") == 0
    page.get_by_role("button", name="Move right").click()
    wait(page, "verdict", "Equal bits in all 784 cells.")


# For all eyes and hands


def test_the_keyboard_reaches_everything_in_order(page: Any) -> None:
    order = []
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate("""(() => { const e = document.activeElement;
            const shown = e.matches(".choice input") ? e.parentElement : e;
            return [e.id || e.name || e.parentElement.id || e.tagName,
                    getComputedStyle(shown).outlineStyle]; })()""")
        if here[0] == "BODY":
            break
        assert here[1] != "none", here
        order.append(here[0])
    places = [order.index(name) for name in (
        "filter", "size", "stride", "padding", "pooling", "swapped", "image", "tool", "clear",
        "samples", "map", "play", "back", "step", "speed", "restart", "taps")]
    assert places == sorted(places)
    assert order.count("taps") == order.count("tool") == 1


def test_everything_has_a_name(page: Any) -> None:
    nameless = page.evaluate("""[...document.querySelectorAll("button, input, select, canvas, svg")]
        .filter(e => !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby")
                       || e.labels?.length || e.textContent.trim() || e.closest("button")))
        .map(e => e.outerHTML)""")
    assert nameless == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 900}, PHONE, {"width": 320,
                                                                        "height": 640}])
def test_it_is_drawn_on_every_screen(open_page: Open, scheme: str, size: dict[str, int]) -> None:
    page = open_page(viewport=size, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    for canvas, least in (("image", 3), ("map", 8), ("strong", 4), ("expected", 8), ("now", 8)):
        assert colours(page, canvas) >= least, canvas
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    assert len(page.screenshot()) > 20_000
    assert page.locator("#plot .weak circle").count() == 29
