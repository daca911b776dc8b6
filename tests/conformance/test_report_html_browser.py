"""The report as one page of HTML, opened in a headless Chromium."""

import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from conformance.reports.html import page

from ..browser import Browser, browsing, missing
from .html_reports import HOSTILE, large, several, timeline
from .made_reports import cut_short, document, judged, model
from .plugin_runs import STANZA, run
from .test_report import LATE
from .test_report_html import hostile

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there is a browser")

Opens = Callable[..., Browser]
CELL: Final = "#/model/Parrot/STREAM-08/sync-failed"
PAGES: Final = ("#/", "#/model/Parrot", "#/rule/STREAM-08", "#/model/Parrot/STREAM-08", "#/nowhere")
_AXE: Final = ("axe_core_python", "axe_playwright_python")
"""Packages that carry axe-core."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture
def opens(browser: Browser, tmp_path: Path) -> Iterator[Opens]:
    """Opens a report at an address; in the end, nothing was logged and nothing fetched but the file itself."""
    file = tmp_path / "report.html"

    def open_(report: dict[str, Any], hash: str = "") -> Browser:
        file.write_text(page(report), encoding="utf-8")
        return opened(browser, file, hash)

    browser.size(1280, 900)
    browser.prefer("light")
    yield open_
    assert [entry["message"] for entry in browser.log("browser")] == []
    assert set(browser.requests()) <= {file.as_uri()}


def opened(browser: Browser, file: Path, hash: str) -> Browser:
    browser.open(file, hash)
    browser.run("localStorage.clear()")
    return browser


def text(browser: Browser, selector: str = "body") -> str:
    return str(browser.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))


def go(browser: Browser, hash: str) -> None:
    """Follow an address within the page."""
    browser.run(
        "const to = arguments[0]; if (location.hash === to) return;"
        "const gone = new Promise((done) => addEventListener('hashchange', done, {once: true}));"
        "location.hash = to; return gone.then(() => null)",
        hash,
    )


def click(browser: Browser, selector: str) -> None:
    browser.run("document.querySelector(arguments[0]).click()", selector)


def rows(browser: Browser) -> list[str]:
    """The rules that the matrix shows."""
    script = """
        return [...document.querySelectorAll('#matrix tr[data-rule]')].filter((row) => row.checkVisibility())
            .map((row) => row.dataset.rule)
    """
    return list(browser.run(script))


def columns(browser: Browser) -> list[str]:
    """The models that the matrix shows."""
    script = """
        return [...document.querySelectorAll('#matrix thead th')].filter((head) => head.checkVisibility())
            .slice(1).map((head) => head.innerText)
    """
    return list(browser.run(script))


def focused(browser: Browser) -> str:
    return str(browser.run("return document.activeElement.getAttribute('href') ?? document.activeElement.id"))


def test_the_first_page_tells_the_outcome(opens: Opens) -> None:
    """Outcome, each model with what holds, and each rule with a verdict in a word."""
    browser = opens(several())
    assert browser.run("return document.title") == "Conformance: failed"
    assert text(browser, "h1").split() == ["1", "of", "3", "models:", "F", "failed"]
    assert "langchain-shop 1.2.3" in text(browser, "table.models")
    assert rows(browser) == ["INVOKE-01", "INVOKE-04", "STREAM-08", "CANCEL-01"]
    assert columns(browser) == ["Parrot", "Hen", "Goat/2"]
    assert "harness error 1/9" in " ".join(text(browser, "tr[data-rule=STREAM-08]").split())
    assert text(browser, "#banner") == ""


def test_every_link_leads_somewhere(opens: Opens) -> None:
    """From the first page on, each link within the page opens a page with a heading, and none is lost."""
    browser = opens(several())
    seen: set[str] = set()
    waiting = ["#/"]
    while waiting:
        hash = waiting.pop()
        go(browser, hash)
        seen.add(hash)
        assert text(browser, "main h1")
        assert "Not found" not in text(browser, "main")
        links = browser.run("return [...document.querySelectorAll('a')].map((link) => link.getAttribute('href'))")
        assert all(link.startswith(("#", "https://")) for link in links)
        waiting += {link for link in links if link.startswith("#/")} - seen - set(waiting)
    assert {"#/model/Parrot", "#/model/Goat%2F2", "#/rule/STREAM-08", "#/model/Hen/INVOKE-04/sync", CELL} <= seen
    go(browser, "#/model/Parrot/STREAM-99")
    assert "Not found" in text(browser, "main h1")


@pytest.mark.parametrize(
    ("hash", "left", "models"),
    [
        ("#/", ["INVOKE-01", "INVOKE-04", "STREAM-08", "CANCEL-01"], 3),
        ("#/?verdict=failed", ["STREAM-08"], 3),
        ("#/?verdict=failed,warned", ["INVOKE-04", "STREAM-08"], 3),
        ("#/?level=SHOULD", ["INVOKE-04"], 3),
        ("#/?area=CANCEL", ["CANCEL-01"], 3),
        ("#/?model=Hen", ["INVOKE-01", "INVOKE-04"], 1),
        ("#/?model=Hen&verdict=warned", ["INVOKE-04"], 1),
        ("#/?text=stopstop", ["STREAM-08"], 3),
        ("#/?text=closing+iterator", ["CANCEL-01"], 3),
        ("#/?text=nothing+is+called+so", [], 3),
    ],
)
def test_filters_leave_what_they_name(opens: Opens, hash: str, left: list[str], models: int) -> None:
    """Each filter by itself and with others, from an address that names them."""
    browser = opens(several(), hash)
    assert rows(browser) == left
    assert len(columns(browser)) == models
    assert text(browser, ".count-line").startswith(f"{len(left)} " if left else "0 of 4 rules")


def test_filters_are_set_by_hand(opens: Opens) -> None:
    """What is ticked, chosen and typed is what is shown, and stands in the address."""
    browser = opens(several())
    click(browser, "input[value=failed]")
    assert rows(browser) == ["STREAM-08"]
    click(browser, "input[value=failed]")
    click(browser, "input[value=SHOULD]")
    assert rows(browser) == ["INVOKE-04"]
    click(browser, "input[value=SHOULD]")
    change = "const it = document.getElementById(arguments[0]); it.value = arguments[1];"
    browser.run(f"{change} it.dispatchEvent(new Event('change'))", "filter-area", "CANCEL")
    assert rows(browser) == ["CANCEL-01"]
    browser.run(f"{change} it.dispatchEvent(new Event('change'))", "filter-area", "")
    browser.run(f"{change} it.dispatchEvent(new Event('change'))", "filter-model", "Hen")
    assert columns(browser) == ["Hen"]
    browser.run(f"{change} it.dispatchEvent(new Event('input'))", "search", "model_name")
    assert rows(browser) == ["INVOKE-04"]
    assert browser.run("return location.hash") == "#/?model=Hen&text=model_name"
    click(browser, "tr[data-rule=INVOKE-04] td:not([hidden]) a")
    until(browser, "return location.hash === '#/model/Hen/INVOKE-04'")
    assert text(browser, "h1").startswith("INVOKE-04")


def test_a_cell_tells_all(opens: Opens) -> None:
    """Statement, expected and observed, the drawing, the same as a table, the wire, and how to run it again."""
    browser = opens(several(), CELL)
    told = text(browser, "[id=item-STREAM-08-sync-failed]")
    for part in ("'stop'", "'stopstop'", "pytest --chat-model=shop.models:Parrot -k STREAM-08"):
        assert part in told
    for part in (
        "writes",
        "is held by a gate before write 7",
        "gives 'piece 1'",
        "… stream: 40 more steps, left out",
        "closes",
    ):
        assert part in told
    assert "not when the rule was decided" in told
    assert "What usually breaks it" in text(browser, "main")
    assert "stand once in the sum" in text(browser, ".lead")


def test_the_drawing_shows_what_the_table_tells(opens: Opens) -> None:
    """There is a mark for each event, in order of time, a bar while the gate holds, and a line where it was decided."""
    browser = opens(several(), CELL)
    told = browser.run("""
        const drawn = document.querySelector('svg.time');
        const place = (mark) => Number(mark.querySelector('circle').getAttribute('cx'));
        return {
            places: [...drawn.querySelectorAll('.mark:not(.m-gap)')].map(place),
            gaps: [...drawn.querySelectorAll('.m-gap')].map(place),
            held: Number(drawn.querySelector('.held').getAttribute('width')),
            decided: Number(drawn.querySelector('.decided').getAttribute('x1')),
            rows: document.querySelectorAll('.sequence tbody tr:not(.gap)').length,
            named: document.getElementById(drawn.getAttribute('aria-labelledby')).textContent,
        }
    """)
    events = timeline()
    count = sum(1 for each in events["calls"][0]["steps"] if "at" in each) + len(events["exchanges"][0]["writes"]) + 2
    places = told["places"]
    assert len(places) == told["rows"] == count
    assert places == sorted(places)
    assert [places.index(max(each for each in places if each < gap)) for gap in told["gaps"]] == [9]
    assert told["decided"] > max(places)
    assert told["held"] > 100
    assert "8 events of the server and 4 of the client in 5.02 s" in told["named"]


def test_a_run_can_be_looked_at(folder: pytest.Pytester, browser: Browser) -> None:
    """Of a model that reads all before it gives any, the page of a run shows what is held back, and no chunk."""
    folder.makepyfile(mine=LATE)
    folder.makepyprojecttoml(STANZA.replace("tests.reference:ReferenceChat", "mine:Late"))
    run(folder, "--chat-model=mine:Late", "--conformance-report=report.html", "-k", "STREAM-03-sync or STREAM-01-sync")
    browser.open(folder.path / "report.html")
    assert rows(browser) == ["STREAM-01", "STREAM-03"]
    go(browser, "#/model/Late/STREAM-03")
    assert "the first chunk arrives while the server is still holding back the second piece" in text(browser, ".lead")
    signs = "return [...document.querySelectorAll('svg.time .mark text')].map((sign) => sign.textContent)"
    assert browser.run(signs) == ["?", "▸", "o", "#", "G"]
    assert browser.run("return document.querySelectorAll('svg.time .held').length") == 1
    assert browser.log("browser") == []


def test_the_axis_can_be_true_to_time(opens: Opens) -> None:
    """Where each event has room of its own, a long wait is not drawn as long as it was; a choice draws it so."""
    browser = opens(several(), CELL)
    width = "return Number(document.querySelector('svg.time .held').getAttribute('width'))"
    roomy = browser.run(width)
    click(browser, ".scale input:not(:checked)")
    true = browser.run(width)
    assert true > roomy
    whole = browser.run("return Number(document.querySelector('svg.time .open').getAttribute('width'))")
    assert true / whole == pytest.approx((5.02 - 0.0111) / (5.02 - 0.004), rel=0.01)


def test_keys_lead_through_the_matrix(opens: Opens) -> None:
    """Letters and arrows move from cell to cell, Enter opens one, Escape leads back."""
    browser = opens(several(), "#/?verdict=passed")
    browser.press("j")
    assert focused(browser) == "#/model/Parrot/INVOKE-01"
    browser.press("j", "j")
    assert focused(browser) == "#/model/Parrot/CANCEL-01"
    browser.press("k", "k", "ArrowRight")
    assert focused(browser) == "#/model/Hen/INVOKE-01"
    browser.press("ArrowDown")
    assert focused(browser) == "#/model/Hen/INVOKE-01"
    browser.press("h", "ArrowRight", "Enter")
    until(browser, "return document.title.startsWith('INVOKE-01, Hen')")
    browser.press("Escape")
    until(browser, "return location.hash === '#/?verdict=passed' && document.getElementById('matrix')")
    assert rows(browser) == ["INVOKE-01", "STREAM-08", "CANCEL-01"]


def test_keys_lead_from_cell_to_cell(opens: Opens) -> None:
    """On the page of a cell, letters open the next and the previous rule and model, among those that are left."""
    browser = opens(several(), "#/model/Parrot/INVOKE-01")
    browser.press("j")
    until(browser, "return document.title.startsWith('INVOKE-04, Parrot')")
    browser.press("k")
    until(browser, "return document.title.startsWith('INVOKE-01, Parrot')")
    browser.press("l")
    until(browser, "return document.title.startsWith('INVOKE-01, Hen')")
    browser.press("l")
    until(browser, "return document.title.startsWith('INVOKE-01, Goat/2')")
    assert browser.run("return location.hash") == "#/model/Goat%2F2/INVOKE-01"


def test_keys_search(opens: Opens) -> None:
    """A slash leads to the search, where letters are letters; Escape empties and then leaves it."""
    browser = opens(several(), "#/model/Parrot")
    browser.press("/")
    until(browser, "return document.activeElement.id === 'search'")
    browser.press(*"jk closing"[3:])
    assert rows(browser) == ["CANCEL-01"]
    browser.press("Escape")
    assert len(rows(browser)) == 4
    browser.press("Escape")
    assert focused(browser) != "search"


def test_keys_are_listed(opens: Opens) -> None:
    """A question mark opens the list of keys, and Escape closes it."""
    browser = opens(several())
    browser.press("?")
    assert "previous rule" in text(browser, "dialog[open]")
    browser.press("Escape")
    until(browser, "return !document.querySelector('dialog[open]')")


def test_themes(opens: Opens) -> None:
    """Dark and light follow the system until one is chosen, by button or key."""
    browser = opens(several())
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = browser.run(ground)
    browser.prefer("dark")
    dark = browser.run(ground)
    assert light != dark
    click(browser, "#theme")
    assert (browser.run(ground), text(browser, "#theme")) == (light, "Theme: light")
    browser.press("t")
    browser.prefer("light")
    assert (browser.run(ground), text(browser, "#theme")) == (dark, "Theme: dark")


def test_the_rerun_line_can_be_copied(opens: Opens) -> None:
    """The button copies the command, or where a browser keeps pages from that selects it."""
    browser = opens(several(), CELL)
    click(browser, ".copyable button")
    until(browser, "return ['Copied', 'Selected'].includes(document.querySelector('.copyable button').innerText)")


@pytest.mark.parametrize("how", ["interrupted", "fewer items", "no item"])
def test_what_is_not_complete_is_no_pass(opens: Opens, how: str) -> None:
    """A banner says so, and nowhere is the outcome a pass, whatever the document says of itself."""
    held = judged("INVOKE-01-sync", "passed")
    if how == "interrupted":
        made = cut_short(model(held, missing=["INVOKE-01-async", "STREAM-08-sync-plain"]), why="Ctrl-C")
    else:
        made = document(model(*[held] if how == "fewer items" else [], chosen=2, outcome="passed"), outcome="passed")
    browser = opens(made)
    assert browser.run("return document.title") == "Conformance: incomplete"
    assert "incomplete, and no pass" in text(browser, "#banner")
    assert "of " in text(browser, "#banner")
    assert "incomplete" in text(browser, "h1")
    assert "passed" not in text(browser, "table.models")
    if how == "interrupted":
        assert "Ctrl-C" in text(browser, "#banner")
        assert "no verdict" in text(browser, "tr[data-rule=INVOKE-01]")
        assert "no verdict" in text(browser, "tr[data-rule=STREAM-08]")


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_page_that_is_cut_short_says_nothing(browser: Browser, tmp_path: Path, share: float) -> None:
    """A file of which the end is missing tells of no verdict."""
    file = tmp_path / "cut.html"
    whole = page(several())
    ends = whole.index("begin();\n})();")
    file.write_text(whole[: int(ends * share)], encoding="utf-8")
    browser.open(file)
    shown = text(browser)
    browser.log("browser")
    assert "passed" not in shown
    assert "holds" not in shown


def test_data_that_are_damaged_say_nothing(browser: Browser, tmp_path: Path) -> None:
    """A page whose data cannot be read says that it has not been read."""
    file = tmp_path / "damaged.html"
    file.write_text(page(several()).replace('"shapes":', '"shapes":[}', 1), encoding="utf-8")
    browser.open(file)
    assert "has not been read" in text(browser, "main")
    assert "passed" not in text(browser)
    assert any("SyntaxError" in entry["message"] for entry in browser.log("browser"))


def test_without_scripts_there_is_a_table(browser: Browser, tmp_path: Path) -> None:
    """Where scripts are turned off, the outcome of each model stands in a plain table."""
    file = tmp_path / "plain.html"
    file.write_text(page(several()), encoding="utf-8")
    browser.scripts(on=False)
    try:
        browser.open(file)
        shown = text(browser)
    finally:
        browser.scripts(on=True)
    assert "Verdicts by model and area" in shown
    assert "failed; 12 of 12 items judged" in shown


@pytest.mark.parametrize("where", ["", "cell", "model", "rule"])
def test_texts_stay_texts(opens: Opens, where: str) -> None:
    """Markup in what a model or a document says is shown as it is, and none of it runs."""
    browser = opens(hostile())
    ways = {"cell": "#matrix a.cell", "model": "#matrix thead a", "rule": "#matrix tbody th a"}
    if where:
        click(browser, ways[where])
        until(browser, "return !document.getElementById('matrix')")
    assert HOSTILE.split("<")[1] in browser.run("return document.body.innerHTML") or where == "rule"
    ran = browser.run("return [window.hacked ?? null, document.images.length, document.scripts.length]")
    assert ran == [None, 0, 2]


@pytest.mark.parametrize("hash", PAGES)
@pytest.mark.parametrize("width", [360, 1280])
def test_pages_are_no_wider_than_the_window(opens: Opens, hash: str, width: int) -> None:
    """What is wide scrolls by itself; a phone never scrolls the page sideways."""
    browser = opens(several(), hash)
    browser.size(width, 800)
    assert browser.run("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("hash", PAGES)
def test_pages_are_accessible(opens: Opens, hash: str) -> None:
    """axe-core finds nothing serious, in both themes and at both widths."""
    axe = _axe()
    browser = opens(several(), hash)
    for width, scheme in ((1280, "light"), (1280, "dark"), (360, "light")):
        browser.size(width, 800)
        browser.prefer(scheme)
        browser.run(axe)
        told = browser.run("return axe.run().then((told) => told.violations)")
        grave = [each for each in told if each["impact"] in ("serious", "critical")]
        assert [(each["id"], each["nodes"][0]["html"]) for each in grave] == []


def _axe() -> str:
    for name in _AXE:
        found = importlib.util.find_spec(name)
        if found and found.origin:
            return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    pytest.skip("axe-core not installed (pip install axe-core-python)")


def test_many_models_are_shown(opens: Opens) -> None:
    """30 models with all rules, a column each. benchmarks/report_page.py measures how long that takes."""
    assert len(columns(opens(large(30)))) == 30


def until(browser: Browser, script: str) -> None:
    """Wait for what a script looks for."""
    limit = time.monotonic() + 10
    while not browser.run(script):
        assert time.monotonic() < limit, f"{script}: not so, at {json.dumps(browser.run('return location.hash'))}"
