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

    def go(anchor: str = "", where: str = "pages/data-grid.html", **about: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **about})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((rendered.parent / where).as_uri() + anchor)
        return page

    yield go
    for context in contexts:
        context.close()
    assert said == []
    folder = rendered.parent.as_uri()
    assert [url for url in asked if not url.startswith(("data:", "blob:", folder))] == []  # from disk alone


def column(page: Page, table: str, at: int, attribute: str = "") -> list[Any]:
    """The texts (or one attribute) of a column's cells, in the order shown; rows that are hidden are left out."""
    script = """([table, at, name]) => Array.from(document.querySelectorAll(table + " tbody tr:not(.block)"))
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
    assert groups[:3] == ["Seeds", "Budget", "Modes"] and labels[:8] == [
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
    page = opened("#table-ledger", "pages/run.html")
    assert page.locator("#table-ledger details").evaluate("node => node.open")  # a link to it opens it
    box = page.locator("#table-ledger input[type=search]")
    box.fill("pacgan2 MODES")
    kept = column(page, "#table-ledger", 2)
    assert len(kept) == 2 and set(kept) == {"PacGAN2"}
    assert page.locator("#table-ledger output").text_content() == "2 of 235 rows"
    box.fill("")
    assert len(column(page, "#table-ledger", 2)) == 235
    page.locator("#tools input[type=search]").fill("veegan")
    box.fill("ring")
    assert {row for row in column(page, "#table-ledger", 0)} == {"VEEGAN Table 1"}  # both filters hold
    page = opened()
    page.locator("#tools input[type=search]").fill("veegan")
    assert column(page, HEADLINE, 0) == ["VEEGAN"]
    assert page.locator(f"{HEADLINE} tr.block:visible").count() == 0


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


PAGES = ("report.html", "pages/data-grid.html", "pages/model-gan.html", "pages/run.html")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (768, "light"), (1440, "dark")])
@pytest.mark.parametrize("where", PAGES)
def test_no_page_scrolls_sideways(opened: Open, where: str, width: int, scheme: str) -> None:
    page = opened("", where, viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 27)"}[scheme]


@pytest.mark.parametrize(("width", "height", "screens"), [(1440, 900, 4), (390, 844, 9)])
def test_the_first_page_is_short_and_small(opened: Open, rendered: Path, width: int, height: int, screens: int) -> None:
    page = opened("", "report.html", viewport={"width": width, "height": height})
    assert page.evaluate("document.documentElement.scrollHeight") <= screens * height
    assert rendered.stat().st_size < 2e6


def test_the_first_screen_says_what_was_compared_and_who_leads(opened: Open) -> None:
    page = opened("", "report.html", viewport={"width": 1440, "height": 900})
    first = page.locator(".verdict strong").text_content() or ""
    assert first.startswith("This run made 5 models on Grid and Ring, 3 seeds each, and can")
    box = page.locator("#answers .board tbody").first.bounding_box()
    assert box is not None and box["y"] + box["height"] < 900
    assert "does not mean equal" in (page.locator("#answers").text_content() or "")


def test_search_finds_tables_models_and_figures_of_all_pages(opened: Open) -> None:
    for where, start in (("report.html", "pages/"), ("pages/model-gan.html", "")):
        page = opened("", where)
        field = page.locator("#search input")
        field.fill("ring curves")
        assert page.locator("#search li a").first.text_content() == "Training curves (Ring)"
        assert page.locator("#search li a").first.get_attribute("href") == f"{start}data-ring.html#figure-ring_curves"
        field.fill("veegan model")
        field.press("Enter")
        page.wait_for_url("**/pages/model-veegan.html")
        assert (page.locator("h1").text_content() or "").startswith("VEEGAN")
        page.locator("#search input").fill("no such thing")
        assert page.locator("#search li").all_text_contents() == ["nothing found"]


def test_a_permalink_opens_what_it_names(opened: Open) -> None:
    page = opened()
    link = page.locator("#table-grid_further .permalink")
    link.click()
    assert page.url.endswith("pages/data-grid.html#table-grid_further")
    box = page.locator("#table-grid_further").bounding_box()
    assert box is not None and 0 <= box["y"] < 200


def test_every_table_and_figure_can_be_downloaded_from_where_it_stands(opened: Open, rendered: Path) -> None:
    for where in PAGES:
        page = opened("", where)
        for kind in (".table:not([id^=sheets])", "figure[id]"):
            for part in page.locator(kind).all():
                names = part.locator("a[download]").evaluate_all("links => links.map(one => one.download)")
                ends = [name.rpartition(".")[2] for name in names]
                assert ends in (["csv", "md", "tex"], ["svg", "pdf", "png"], ["svg", "pdf", "png", "csv"]), names
                folder = rendered.parent / ("tables" if "tex" in ends else "figures")
                assert all((folder / name).is_file() for name in names)


def test_figures_are_loaded_when_they_come_into_view(opened: Open) -> None:
    page = opened("", viewport={"width": 1440, "height": 700})
    state = "() => Array.from(document.querySelectorAll('figure img')).map(one => one.naturalWidth > 0)"
    assert page.evaluate("Array.from(document.querySelectorAll('figure img')).every(one => one.loading === 'lazy')")
    page.locator("figure").last.scroll_into_view_if_needed()
    # the page's policy lets no text be evaluated as a script, so that the test asks again and again itself
    for _ in range(100):
        if page.locator("figure img").last.evaluate("image => image.naturalWidth") > 0:
            break
        page.wait_for_timeout(50)
    assert page.locator("figure img").last.evaluate("image => image.naturalWidth") > 0
    assert any(page.evaluate(state))
    heights = page.locator("figure img").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert min(heights) > 50  # room is left before a file is there


def test_everything_is_there_without_a_script(opened: Open) -> None:
    with_script = opened()
    without = opened(java_script_enabled=False)
    assert without.locator("#tools").is_hidden() and without.locator("button.sort").count() == 0
    for page in (with_script, without):
        assert page.locator(f"{HEADLINE} tbody tr:not(.block)").count() == 14
        assert page.locator("#results-grid").count() == 1
    assert without.locator(f"{HEADLINE} tbody tr:not(.block) th").first.text_content() == "GAN"
    assert without.locator("#search").is_hidden()
    run = opened("", "pages/run.html", java_script_enabled=False)
    assert run.locator("#table-ledger tbody tr:not(.block)").count() == 235
    run.locator("#table-ledger summary").click()
    assert run.locator("#table-ledger table").is_visible()


def test_print_shows_everything(opened: Open) -> None:
    page = opened()
    page.locator("#tools input[type=search]").fill("veegan")
    page.get_by_label("hide controls").check()
    page.emulate_media(media="print")
    assert len(column(page, HEADLINE, 0)) == 14
    assert page.locator("#tools").is_hidden() and page.locator("nav").is_hidden()
    run = opened("", "pages/run.html")
    run.emulate_media(media="print")
    run.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert run.locator("main details:not([open])").count() == 0
    run.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert run.locator("main details:not([open])").count() > 0
