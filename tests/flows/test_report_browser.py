"""The report in Debian's Chromium, from disk: what people see, reach by keyboard and hear."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from flows.report.pages import PAGES
from tests.flows.reports import MARKUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.flows.reports import Reported

PHONE, DESKTOP = (360, 740), (1280, 900)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, headless; where there is none CI fails and others are told how to get it."""
    found = shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(found).exists():
        message = "there is no Chromium to look at the report with: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as driver:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = driver.chromium.launch(executable_path=found, args=options)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page at desktop width that may load nothing but files, and must not complain."""
    yield from watched(browser, DESKTOP, "light")


def watched(browser: Browser, size: tuple[int, int], scheme: Any) -> Iterator[Page]:
    """Gives a page; at its end no other address was asked for and nothing was complained of."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, reduced_motion="reduce"
    )
    complaints: list[str] = []
    asked: list[str] = []
    opened = context.new_page()
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    context.close()
    assert complaints == []
    assert asked
    assert {url.partition(":")[0] for url in asked} == {"file"}


def wait_until(page: Page, condition: str) -> None:
    """Waits for a condition of the page; Playwright's own way needs `eval`, which pages forbid."""
    deadline = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


def show_pairs(page: Page, reported: Reported, fragment: str = "") -> None:
    """Opens the browser of pairs and waits for its cards."""
    page.goto("about:blank")
    page.goto(reported.address("pairs.html") + fragment)
    page.wait_for_selector(".card, .trouble")


def test_no_page_faults_by_axe(page: Page, reported: Reported) -> None:
    """axe-core finds nothing serious or critical on any page, nor in the viewer, light or dark."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for one in PAGES if scheme == "light" else (PAGES[0], PAGES[2]):
            page.goto(reported.address(one.file))
            if one.file == "pairs.html":
                page.click(".open >> nth=0")
                page.wait_for_selector("dialog[open] img")
            found = Axe().run(page, options={"preload": False}).response["violations"]
            bad = [
                (fault["id"], fault["nodes"][0]["html"][:200])
                for fault in found
                if fault["impact"] in {"serious", "critical"}
            ]
            assert bad == [], (one.file, scheme)


def test_map_zooms_pans_and_tells(page: Page, reported: Reported) -> None:
    """Buttons, keys, drag and wheel move the map; a click on a cell and its table tell of it."""
    page.goto(reported.address("index.html"))
    drawn = page.locator(".map-frame svg")

    def view() -> list[float]:
        return [float(one) for one in (drawn.get_attribute("viewBox") or "").split()]

    whole = view()
    page.click("[data-zoom=in]")
    assert view()[2] == pytest.approx(whole[2] * 0.67)
    page.click("[data-zoom=all]")
    assert view() == whole
    page.focus(".map-frame")
    page.keyboard.press("ArrowRight")
    assert view()[0] == pytest.approx(whole[0] + 0.15 * whole[2])
    page.keyboard.press("+")
    assert view()[2] < whole[2]
    page.mouse.wheel(0, 0)
    page.keyboard.press("0")
    box = page.locator(".map-frame").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -100)
    wait_until(page, f"document.querySelector('.map-frame svg').viewBox.baseVal.width < {whole[2]}")
    before = view()
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 60, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert view()[0] > before[0]

    page.select_option("#place", index=1)
    assert view()[2] < whole[2]
    first = page.locator("#cells tbody tr").first
    name = first.locator("th").inner_text()
    first.get_by_role("button").press("Enter")
    assert page.locator(".chosen-cell strong").inner_text() == name
    page.select_option("#place", index=0)
    first.get_by_role("button").click()
    box = page.locator(".map-frame").bounding_box()
    assert box is not None
    page.evaluate("document.querySelector('.chosen-cell').replaceChildren()")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.locator(".chosen-cell strong").inner_text() == name
    assert page.locator(".lines path").count() > 2
    page.locator(".chosen-cell a").click()
    page.wait_for_selector(".card, .trouble, #found:has-text('No pair')")
    assert page.locator("#cell").input_value() in {name, ""}


def test_filters_pages_and_links(page: Page, reported: Reported) -> None:
    """Filters leave what fits and count it, pages hold twelve chips, and the address keeps both."""
    show_pairs(page, reported)
    assert page.locator(".card").count() == 12
    everything = page.locator("#found").inner_text()
    page.click("#pager [data-step='1']")
    wait_until(page, "document.querySelector('#where').textContent.startsWith('Page 2')")
    assert "page=2" in page.url
    page.select_option("#sensor", "naip")
    wait_until(
        page, "[...document.querySelectorAll('.card strong')].every(e => e.textContent === 'naip')"
    )
    assert page.locator("#found").inner_text() != everything
    assert "page" not in page.url
    kept = page.url
    page.select_option("#gap", "0")
    wait_until(page, "location.hash.includes('gap=0')")
    page.click("button[type=reset]")
    wait_until(page, "location.hash === ''")
    assert page.locator("#found").inner_text() == everything
    show_pairs(page, reported, "#" + kept.partition("#")[2])
    assert page.locator("#sensor").input_value() == "naip"
    show_pairs(page, reported, "#sensor=%3Cimg%3E&page=99")
    assert page.locator("#sensor").input_value() == ""


def test_keyboard_alone_is_enough(page: Page, reported: Reported) -> None:
    """Tab finds content and filters, arrows go from chip to chip, Enter opens, Esc brings back."""
    show_pairs(page, reported)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    order = []
    for _ in range(6):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert order == ["sensor", "cell", "split", "gap", "", "open"]
    page.keyboard.press("ArrowRight")
    place = "document.activeElement.dataset.place"
    assert page.evaluate(place) == "1"
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    first = page.locator("#viewer .facts dd").first.inner_text()
    page.keyboard.press("ArrowRight")
    wait_until(page, "document.querySelector('#viewer-status').textContent.startsWith('Chip 3 ')")
    assert page.locator("#viewer .facts dd").first.inner_text() != first
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog:not([open])", state="attached")
    wait_until(page, f"{place} === '2'")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    wait_until(page, "document.querySelector('#where').textContent.startsWith('Page 2')")
    wait_until(page, f"{place} === '12'")


def test_skip_link_keeps_filters_and_cards(page: Page, reported: Reported) -> None:
    """It moves the focus and nothing else: a card drawn anew would lose the focus later on."""
    show_pairs(page, reported, "#sensor=naip")
    page.evaluate("{ window.before = document.querySelector('.open'); }")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_until(page, "document.activeElement.id === 'main'")
    wait_until(page, "location.hash === '#sensor=naip'")
    page.evaluate("new Promise(done => setTimeout(done, 0))")  # drawing ends with a promise
    assert page.locator("#sensor").input_value() == "naip"
    assert page.evaluate("window.before.isConnected")


def test_points_lie_where_the_table_says(page: Page, reported: Reported) -> None:
    """Each photo of a chip has its point at its column and row, in both colours."""
    show_pairs(page, reported)
    page.click(".open >> nth=0")
    page.wait_for_selector("dialog[open] .points")
    photos = page.locator("#viewer .photos li").count()
    assert page.locator("#viewer .points").count() == 2
    assert page.locator("#viewer .point").count() == 2 * photos
    drawn = page.evaluate(
        """() => { const p = document.querySelector('#viewer .points');
        const s = p.querySelector('.spot'), i = p.parentElement.querySelector('img');
        return [s.getAttribute('cy'), s.getAttribute('cx'), p.getAttribute('viewBox'),
                p.clientWidth - i.clientWidth, i.naturalWidth, i.alt]; }"""
    )
    words = page.locator("#viewer .about").first.inner_text()
    assert f"Row {drawn[0]}, column {drawn[1]}" in words
    assert drawn[2] == f"0 0 {drawn[4]} {drawn[4]}"
    assert drawn[3] == 0
    assert "true colour" in drawn[5]


def test_titles_from_outside_stay_text(page: Page, reported: Reported) -> None:
    """A title of markup is read as it was written, runs nothing, and no link is a script."""
    show_pairs(page, reported)
    seen = ""
    for number in range(5):
        page.locator(".open").nth(number).click()
        page.wait_for_selector("dialog[open] .photos li")
        seen += page.locator("#viewer").inner_text()
        assert page.locator("#viewer .photos li").count() == page.locator("#viewer .credit").count()
        page.keyboard.press("Escape")
    assert MARKUP[:40] in seen
    links = page.eval_on_selector_all("a", "all => all.map(one => one.protocol)")
    assert set(links) <= {"file:", "https:", "http:"}
    assert page.locator("main img[src='x'], main script").count() == 0
    assert page.title().startswith("Photos and their chips")


LOAD_ALL = """all => Promise.all(all.map(one => {
    one.loading = "eager";
    return one.decode();
}))"""
"""Pictures that nobody scrolled to are not there yet."""


def test_looks_are_kept(browser: Browser, reported: Reported, tmp_path: Path) -> None:
    """Pages fit a phone and a desktop, light and dark; pictures are kept to be looked at."""
    folder = Path(os.environ.get("TERRAPAIR_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    across = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for width, size in (("phone", PHONE), ("desktop", DESKTOP)):
        for scheme in ("light", "dark"):
            for page in watched(browser, size, scheme):
                for one in PAGES[:3] if scheme == "light" else (PAGES[0], PAGES[2]):
                    page.goto(reported.address(one.file))
                    if one.file == "pairs.html":
                        page.wait_for_selector(".card")
                    assert page.evaluate(across) == 0, (one.file, width)
                    page.eval_on_selector_all("img", LOAD_ALL)
                    name = f"report-{one.file.removesuffix('.html')}-{width}-{scheme}.png"
                    page.screenshot(path=folder / name, full_page=True)
                page.click(".open >> nth=0")
                page.wait_for_selector("dialog[open] img")
                page.screenshot(path=folder / f"report-viewer-{width}-{scheme}.png")
