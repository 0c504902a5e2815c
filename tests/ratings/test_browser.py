"""The rating page in a real Chromium without a network: rated as a rater would, saved, imported, analysed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.ratings.sheet import Session

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on the path"),
]

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PAUSE = 180  # above the page's guard against double taps


@pytest.fixture(scope="module")
def browser() -> Iterator[Callable]:
    """Opens a profile offline; every address asked for is kept in `browser.asked`, errors in `browser.wrong`."""
    with playwright.sync_playwright() as driver:

        def launch(profile: Path, **options: object):
            context = driver.chromium.launch_persistent_context(
                profile, executable_path=CHROMIUM, headless=True, args=FLAGS, accept_downloads=True, **options
            )
            context.set_offline(True)
            context.on("request", lambda request: launch.asked.append(request.url))
            context.on("weberror", lambda error: launch.wrong.append(str(error.error)))
            context.on("console", lambda said: launch.wrong.append(said.text) if said.type == "error" else None)
            return context

        launch.asked, launch.wrong = [], []
        yield launch


def opened(context, folder: Path):
    page = context.pages[0] if context.pages else context.new_page()
    page.goto((folder / "rate.html").as_uri())
    return page


def begin(page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Begin").click()


def count(page) -> str:
    return page.get_by_role("status").inner_text()


def press(page, key: str) -> None:
    page.wait_for_timeout(PAUSE)
    page.keyboard.press(key)


def saved(page, button: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def narrow(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def by_keyboard(browser: Callable, folder: Path, profile: Path, answers: list[str]) -> Path:
    """Rates with keys, undoes an answer, closes, resumes at the same item, finishes, saves JSON."""
    keys = {"real": ("r", "ArrowLeft"), "generated": ("g", "ArrowRight")}
    context = browser(profile)
    page = opened(context, folder)
    begin(page, "=Formula")
    assert page.get_by_role("alert").inner_text() == "A name cannot begin with =, +, - or @."
    begin(page, "  Ann   <b>Lee</b>, é ")
    for at, word in enumerate(answers[:7]):
        press(page, keys[word][at % 2])
    wrong = "g" if answers[7] == "real" else "r"
    press(page, wrong)
    assert count(page) == f"8 of {len(answers)}"
    press(page, "u")
    assert count(page) == f"7 of {len(answers)}"
    source = page.locator("#image").get_attribute("src")
    context.close()

    context = browser(profile)
    page = opened(context, folder)
    assert count(page) == f"7 of {len(answers)}"
    assert page.locator("#image").get_attribute("src") == source
    assert page.locator("#name").inner_text() == "Ann <b>Lee</b>, é"
    for at, word in enumerate(answers[7:]):
        press(page, keys[word][at % 2])
    assert page.get_by_role("heading", name="Done. Thank you.").is_visible()
    press(page, "Backspace")
    press(page, keys[answers[-1]][0])
    path = saved(page, "Save JSON", folder.parent)
    context.close()
    return path


def by_touch(browser: Callable, folder: Path, profile: Path, answers: list[str]) -> Path:
    """Rates on a phone: taps, a double tap counts once, saves CSV before and after the end."""
    phone = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
    context = browser(profile, **phone, device_scale_factor=2, color_scheme="dark")
    page = opened(context, folder)
    assert narrow(page)
    begin(page, '"Bo"')
    for at, word in enumerate(answers):
        button = page.get_by_role("button", name=word.capitalize())
        page.wait_for_timeout(PAUSE)
        button.tap()
        if at == 0:
            button.tap()
            box = button.bounding_box()
            assert box["height"] >= 64 and box["width"] >= 140 and box["y"] + box["height"] <= 640
            assert narrow(page) and count(page) == f"1 of {len(answers)}"
            assert saved(page, "Save CSV", folder.parent).read_text().count("\n") == 2
    assert narrow(page)
    path = saved(page, "Save CSV", folder.parent)
    context.close()
    return path


def test_two_raters_rate_save_and_are_found_in_the_rates(
    browser: Callable, folder: Path, made: Session, tmp_path: Path
) -> None:
    """Ann calls real what is real and all of OTVAE; Bo calls everything real but wgan-mlp. Nothing is asked of a
    network, and nothing goes wrong in the page.
    """
    real = {"real": "real", "check": "real"}
    ann = [real.get(one.kind) or ("real" if one.model == "otvae" else "generated") for one in made.key.items]
    ann[made.key.items.index(next(one for one in made.key.first if one.model == "otvae"))] = "generated"
    bo = ["generated" if one.model == "wgan-mlp" else "real" for one in made.key.items]
    paths = [
        by_keyboard(browser, folder, tmp_path / "ann", ann),
        by_touch(browser, folder, tmp_path / "bo", bo),
    ]
    assert [path.name for path in paths] == [
        f"ratings-{made.key.session}-ann-b-lee-b-e.json",
        f"ratings-{made.key.session}-bo.csv",
    ]
    assert browser.wrong == []
    assert {url.partition(":")[0] for url in browser.asked} <= {"file", "data", "blob"}
    held = json.loads(paths[0].read_text())
    assert [one["answer"] for one in held["answers"]] == ann
    assert all(150 <= one["milliseconds"] < 60_000 for one in held["answers"])
    assert held["started"] < held["finished"]

    run = CliRunner()
    done = run.invoke(app, ["rate", "import", *map(str, paths), "--into", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told = json.loads(run.invoke(app, ["rate", "show", str(folder), "--json"]).output)
    rates = {(one["model"], one["snapshot"]): (one["rate"], one["answers"]) for one in told["rates"]}
    first = next(one for one in made.key.first if one.model == "otvae").snapshot
    other = 1.25 - first  # of 0.25 and 1
    assert rates == {("otvae", first): (7 / 8, 8), ("otvae", other): (1.0, 8), ("wgan-mlp", 1.0): (0.0, 8)}
    assert told["real"]["rate"] == 1.0
    assert [one["rater"] for one in told["by_rater"]] == ['"Bo"', "Ann <b>Lee</b>, é"]
    assert [one["attention"] for one in told["by_rater"]] == [1.0, 1.0]
    assert all(one["median_seconds"] > 0.15 for one in told["by_rater"])


def test_answers_live_without_local_storage(browser: Callable, folder: Path, tmp_path: Path) -> None:
    """Where the browser denies its storage the page rates all the same, and says that it keeps nothing."""
    context = browser(tmp_path / "denied")
    context.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('denied'); }})")
    page = opened(context, folder)
    begin(page, "Cy")
    press(page, "r")
    assert count(page).startswith("1 of")
    assert "keeps nothing" in page.locator("#kept").inner_text()
    assert saved(page, "Save JSON", tmp_path).is_file()
    context.close()
