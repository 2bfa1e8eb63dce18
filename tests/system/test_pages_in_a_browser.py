"""Pages in a real browser: no fault that axe-core calls serious, nothing loaded, and readable on a telephone and on paper."""

import pytest
from browser import open_browser

from pictures.note import Envelope
from pictures.pages import content_security_policy, render_note, render_operations, render_people, render_person
from tests.unit.persons import a_person, with_voice
from tests.unit.test_comparison_page import render as render_two_versions
from tests.unit.test_comparison_page import two_versions
from tests.unit.test_note_page import VOICE, a_note, a_page, related
from tests.unit.test_operations_page import busy_page

PHONE_PX = 360
SMALLEST_TEXT_PX = 11.5
# Leaves three rows of each kind in a table, and as many marks in a figure: axe takes a minute for thousands of equal ones.
SHORTEN = """
const kindOf = one => one.tagName + one.getAttribute('class') + one.getAttribute('style')
for (const parent of document.querySelectorAll('tbody, svg, svg g')) {
    const seen = {}
    for (const one of [...parent.children]) {
        const kind = [one, ...one.querySelectorAll('*')].map(kindOf).join()
        seen[kind] = (seen[kind] || 0) + 1
        if (seen[kind] > 3) one.remove()
    }
}
"""


def make_pages():
    envelope = Envelope(duration_ms=30_000, peaks=tuple(n % 9 / 9 for n in range(300)), speech=((1000, 17_000),))
    return {
        "person": render_person(with_voice(a_person())),
        "too few notes": render_person(with_voice(a_person(n_days=5, mix=None))),
        "people": render_people(
            [with_voice(a_person()), a_person(n_days=5, subject="ben", mix=None)], title="Two", remark="Made up."
        ),
        "comparison": render_two_versions(two_versions(n_movers=3), max_disagree=0.1),
        "operations": render_operations(busy_page()),
        "note": render_note(a_page(note=a_note(voice=VOICE), relative=related(), envelope=envelope)),
    }


PAGES = make_pages()


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture
def opened(browser, tmp_path, request):
    """Opens a page from a file, as a reader would, and closes it."""
    contexts = []

    def open_page(name, *, width=1000, scheme="light"):
        file = tmp_path / "page.html"
        file.write_text(PAGES[name])
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.asked = []
        page.on("request", lambda sent: page.asked.append(sent.url))
        page.wrong = []
        page.on("console", lambda message: page.wrong.append(message.text))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_fault(opened, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened(name, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.evaluate(SHORTEN)

    found = axe.Axe().run(page).response

    serious = [
        (fault["id"], [node["html"][:200] for node in fault["nodes"]])
        for fault in found["violations"]
        if fault["impact"] in {"serious", "critical"}
    ]
    assert not serious
    assert len(found["passes"]) > 10, "axe has looked"


def test_axe_would_find_a_fault(opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened("too few notes")
    page.evaluate("document.querySelector('h1').style.color = '#ddd'")

    found = axe.Axe().run(page).response

    assert "color-contrast" in {fault["id"] for fault in found["violations"]}


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded_and_nothing_goes_wrong(opened, name):
    page = opened(name)
    page.wait_for_timeout(200)

    assert [url.partition(":")[0] for url in page.asked] == ["file"]
    assert not page.wrong


@pytest.mark.parametrize("name", PAGES)
def test_a_telephone_shows_everything_without_scrolling_sideways(opened, name):
    page = opened(name, width=PHONE_PX)

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_PX
    sizes = page.evaluate(
        """[...document.querySelectorAll('figure svg')].filter(svg => svg.getClientRects().length).map(svg =>
        parseFloat(getComputedStyle(svg.querySelector('text')).fontSize) * svg.getBoundingClientRect().width
        / svg.viewBox.baseVal.width)"""
    )
    assert sizes
    assert min(sizes) >= SMALLEST_TEXT_PX


@pytest.mark.parametrize("name", PAGES)
def test_tables_open_by_the_keyboard(opened, name):
    page = opened(name)

    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.tagName")
    while focused == "A":
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.tagName")
    page.keyboard.press("Enter")

    assert focused == "SUMMARY"
    assert page.evaluate("document.activeElement.parentElement.open")
    assert page.evaluate("document.activeElement.parentElement.querySelector('table').getClientRects().length") == 1


def test_the_policy_that_pages_are_served_with_lets_their_own_style_in(browser):
    context = browser.new_context()
    page = context.new_page()
    wrong = []
    page.on("console", lambda message: wrong.append(message.text))
    headers = {"Content-Security-Policy": content_security_policy(), "Content-Type": "text/html; charset=utf-8"}
    page.route("**/*", lambda route: route.fulfill(body=PAGES["person"], headers=headers))
    page.goto("http://tonalog.test/")

    assert page.evaluate("getComputedStyle(document.body).maxWidth") != "none"
    assert not wrong
    context.close()


def test_paper_is_black_on_white_in_dark_rooms_too(opened):
    page = opened("person", scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
