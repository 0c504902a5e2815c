"""The page in a real browser: sorting, filtering, hiding, printing, a phone's width, no network, no script."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from otbench.report import render

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Make = Callable[..., Path]
MODELS = ("gan", "pacgan2", "veegan", "wgan", "ae-ot", "real", "memoriser", "collapsed", "noise")
HEADLINE = "#table-grid_headline"


def found_browser() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, published: Path, reference_folder: Path, make: Make) -> Path:
    return render(make(tmp_path_factory.mktemp("page"), models=MODELS), published, reference_folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = found_browser()
    if path is None:
        pytest.skip("there is no chromium, chromium-browser or google-chrome on the path")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with api.sync_playwright() as playwright:
        held = playwright.chromium.launch(executable_path=path, args=arguments)
        yield held
        held.close()


Open = Callable[..., "Page"]


@pytest.fixture
def opened(browser: Browser, rendered: Path) -> Iterator[Open]:
    """Opens the page from disk; what the console says and what is requested is checked at the end."""
    contexts: list[Any] = []
    said: list[str] = []
    asked: list[str] = []

    def go(anchor: str = "", **about: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **about})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(rendered.as_uri() + anchor)
        return page

    yield go
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:") and url.split("#")[0] != rendered.as_uri()] == []


def column(page: Page, table: str, at: int, attribute: str = "") -> list[Any]:
    """The texts (or one attribute) of a column's cells, in the order shown; rows that are hidden are left out."""
    script = """([table, at, name]) => Array.from(document.querySelectorAll(table + " tbody tr"))
        .filter(row => getComputedStyle(row).display !== "none")
        .map(row => name ? row.cells[at].getAttribute(name) : row.cells[at].textContent)"""
    return page.evaluate(script, [table, at, attribute])


#: column of the share of high quality of this run
THIS = 10


def head_of(page: Page, table: str, at: int) -> Any:
    return page.locator(f"{table} thead tr:last-child th").nth(at)


def numbers(values: list[str | None]) -> list[float]:
    return [float(value) for value in values if value is not None]


def test_a_column_sorts_by_its_numbers_up_down_and_back(opened: Open) -> None:
    page = opened()
    labels = page.locator(f"{HEADLINE} thead tr:last-child th").all_text_contents()
    groups = page.locator(f"{HEADLINE} thead tr.groups th").all_text_contents()
    assert groups[1:4] == ["Seeds", "Budget", "Modes"] and labels[:8] == [
        "Model",
        *("reference", "this run"),
        *("reference", "this run"),
        "published",
        "reference",
        "this run",
    ]
    before = column(page, HEADLINE, 0)
    head = head_of(page, HEADLINE, THIS)
    head.locator("button").click()
    values = column(page, HEADLINE, THIS, "data-value")
    held = numbers(values)
    assert head.get_attribute("aria-sort") == "ascending" and held == sorted(held) and len(set(held)) > 3
    assert values[len(held) :] == [None] * (len(values) - len(held))  # rows without a number are last
    head.locator("button").press("Enter")
    down = numbers(column(page, HEADLINE, THIS, "data-value"))
    assert head.get_attribute("aria-sort") == "descending" and down == sorted(held, reverse=True)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") is None and column(page, HEADLINE, 0) == before


def test_sorting_by_another_column_moves_the_mark_and_words_sort_as_words(opened: Open) -> None:
    page = opened()
    head_of(page, HEADLINE, THIS).locator("button").click()
    head_of(page, HEADLINE, 0).locator("button").click()
    names = column(page, HEADLINE, 0)
    assert names == sorted(names, key=str.lower) and "AE-OT" in names[0]
    assert page.locator(f"{HEADLINE} [aria-sort]").count() == 1


def test_filters_keep_the_rows_that_hold_every_word(opened: Open) -> None:
    page = opened("#table-ledger")
    assert page.locator("#table-ledger details").evaluate("node => node.open")  # a link to it opens it
    box = page.locator("#table-ledger input[type=search]")
    box.fill("pacgan2 MODES")
    kept = column(page, "#table-ledger", 2)
    assert len(kept) == 2 and set(kept) == {"PacGAN2"}
    assert page.locator("#table-ledger output").text_content() == "2 of 234 rows"
    box.fill("")
    assert len(column(page, "#table-ledger", 2)) == 234
    page.locator("#tools input[type=search]").fill("veegan")
    assert column(page, HEADLINE, 0) == ["VEEGAN"]
    box.fill("ring")
    assert {row for row in column(page, "#table-ledger", 0)} == {"VEEGAN Table 1"}  # both filters hold


def test_controls_can_be_hidden_and_come_back(opened: Open) -> None:
    page = opened()
    every = column(page, HEADLINE, 0)
    page.get_by_label("hide controls").check()
    kept = column(page, HEADLINE, 0)
    controls = {"Held-out real", "Memoriser", "Collapsed", "Noise"}
    assert set(every) - set(kept) == controls and "Perfect sampler (expected)" in kept
    page.get_by_label("hide controls").uncheck()
    assert column(page, HEADLINE, 0) == every


def test_a_hint_is_shown_on_a_tap(opened: Open) -> None:
    page = opened()
    cells = page.locator(f"{HEADLINE} td[data-hint]")
    cells.first.click()
    assert page.locator(".hint").text_content() == cells.first.get_attribute("title")
    page.locator("h1").click()
    assert page.locator(".hint").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_the_page_never_scrolls_sideways(opened: Open, width: int, scheme: str) -> None:
    page = opened(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 27)"}[scheme]


def test_the_answers_are_on_the_first_screen(opened: Open) -> None:
    page = opened()
    box = page.locator("#answers").bounding_box()
    assert box is not None and box["y"] + box["height"] < 900
    assert "does not mean equal" in (page.locator("#answers").text_content() or "")


def test_everything_is_there_without_a_script(opened: Open) -> None:
    with_script = opened()
    without = opened(java_script_enabled=False)
    assert without.locator("#tools").is_hidden() and without.locator("button.sort").count() == 0
    for page in (with_script, without):
        assert page.locator(f"{HEADLINE} tbody tr").count() == 14
        assert page.locator("#table-ledger tbody tr").count() == 234
    assert without.locator(f"{HEADLINE} tbody th").first.text_content() == "GAN"
    without.locator("#table-ledger summary").click()
    assert without.locator("#table-ledger caption, #table-ledger .caption").is_visible()


def test_print_shows_everything(opened: Open) -> None:
    page = opened()
    page.locator("#tools input[type=search]").fill("veegan")
    page.get_by_label("hide controls").check()
    page.emulate_media(media="print")
    assert len(column(page, HEADLINE, 0)) == 14
    assert page.locator("#tools").is_hidden() and page.locator("nav").is_hidden()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
