"""The report in a browser: drawn, sorted, filtered, harmless, alone, and readable in the dark and on a phone.

Needs Chromium and its driver, as Debian's packages ``chromium`` and ``chromium-driver`` install them; without them
these tests fail. Nothing is timed: what a page does later is waited for.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from rethinkdc.reports.palette import DARK, LIGHT

_LONG = 120
"""Seconds that a busy machine may take for what takes one."""
_PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """One for all tests of this file."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    assert program, "no Chromium: apt-get install chromium chromium-driver"
    assert driver, "no driver of Chromium: apt-get install chromium-driver"
    options = ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with Chrome(options, Service(driver)) as started:
        started.set_script_timeout(_LONG)
        yield started


@pytest.fixture
def view(browser: Chrome, page: Path) -> Iterator[Chrome]:
    """The report, opened anew from its file."""
    browser.get_log("browser")
    browser.get(page.as_uri())
    wait(browser, "return document.documentElement.dataset.ready === 'yes'")
    yield browser
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def wait(browser: Chrome, script: str, *arguments: Any) -> Any:
    """Until a script returns something that is true."""
    return WebDriverWait(browser, _LONG, 0.05).until(lambda driver: driver.execute_script(script, *arguments))


def draw(browser: Chrome, plots: str = ".plot") -> None:
    """Scrolls to every such plot, as a reader would, until it stands."""
    for plot in browser.find_elements(By.CSS_SELECTOR, plots):
        browser.execute_script("arguments[0].scrollIntoView()", plot)
        wait(browser, "return arguments[0].dataset.drawn === 'yes'", plot)


def board(browser: Chrome, title: str) -> WebElement:
    return browser.find_element(By.XPATH, f"//article[h3='{title}']")


def column(found: WebElement, head: str) -> list[str]:
    """What the cells of a column say, from the first visible row on."""
    heads = [button.text for button in found.find_elements(By.CSS_SELECTOR, "thead button")]
    place = heads.index(head) + 1
    return [cell.text for cell in found.find_elements(By.CSS_SELECTOR, f"tbody tr:not([hidden]) > :nth-child({place})")]


def press(found: WebElement, head: str) -> WebElement:
    (button,) = [one for one in found.find_elements(By.CSS_SELECTOR, "thead button") if one.text == head]
    button.click()
    return button.find_element(By.XPATH, "..")


def errors(browser: Chrome) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]


def emulate(browser: Chrome, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def test_every_figure_is_drawn_with_all_its_marks(view: Chrome) -> None:
    draw(view)
    counted = view.execute_script("""
        const figures = JSON.parse(document.getElementById("figures").textContent);
        return [...document.querySelectorAll(".plot")].map((plot) => {
            const count = (selector) => plot.querySelectorAll(selector).length;
            const { data } = figures[plot.dataset.figure];
            const of = (type) => data.filter((trace) => trace.type === type);
            const scatter = (mode) => of("scatter").filter((trace) => trace.mode.includes(mode));
            const places = (traces) => traces.flatMap((trace) => trace.x).length;
            const box = plot.querySelector(".main-svg").getBoundingClientRect();
            return {
                name: plot.dataset.figure,
                expected: [places(scatter("markers")), scatter("lines").length, places(of("bar")),
                    of("box").length, of("heatmap").length],
                drawn: [count(".scatterlayer .point"), count(".scatterlayer .js-line"),
                    count(".barlayer .point path"), count(".boxlayer path.box"), count(".heatmaplayer image")],
                size: [box.width, box.height],
                inside: box.right <= plot.parentElement.getBoundingClientRect().right,
            };
        });""")
    assert len(counted) > 20
    for plot in counted:
        assert plot["drawn"] == plot["expected"], plot["name"]
        assert sum(plot["drawn"]) > 0
        assert min(plot["size"]) > 100
        assert plot["inside"]
    assert {kind for plot in counted for kind, count in enumerate(plot["drawn"]) if count} == {0, 1, 2, 3, 4}
    assert errors(view) == []


def test_a_press_on_a_head_sorts_and_another_turns_the_order(view: Chrome) -> None:
    found = board(view, "digits, hard labels, ipc 1")
    before = column(found, "method")
    head = press(found, "top-1 %")
    values = [float(text) for text in column(found, "top-1 %")]
    assert values == sorted(values, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    assert len(values) == len(before) == 5
    press(found, "top-1 %")
    assert [float(text) for text in column(found, "top-1 %")] == values[::-1]
    assert head.get_attribute("aria-sort") == "ascending"
    head = press(found, "method")
    assert column(found, "method") == sorted(before)
    sorts = [one.get_attribute("aria-sort") for one in found.find_elements(By.CSS_SELECTOR, "thead th")]
    assert sorts.count("none") == len(sorts) - 1


def test_numbers_sort_by_their_value_and_nothing_comes_last(view: Chrome) -> None:
    found = board(view, "digits, hard labels, ipc 50")
    for descending in (True, False):
        press(found, "receiver")
        texts = [text.split() for text in column(found, "receiver")]
        sizes = [{"kB": 1e3, "MB": 1e6}[unit] * float(number) for number, unit in texts]
        assert len(set(sizes)) > 1
        assert sizes == sorted(sizes, reverse=descending)
    for _ in range(2):
        press(found, "minus random")
        assert column(found, "minus random")[-2:] == ["\u2013"] * 2


def test_the_keyboard_alone_sorts(view: Chrome) -> None:
    found = board(view, "digits, hard labels, ipc 1")
    region = found.find_element(By.CSS_SELECTOR, ".scroll")
    view.execute_script("arguments[0].focus()", region)
    region.send_keys(Keys.TAB)
    button = view.switch_to.active_element
    while button.text != "sd":
        button.send_keys(Keys.TAB)
        button = view.switch_to.active_element
    button.send_keys(Keys.ENTER)
    values = [float(text) for text in column(found, "sd")]
    assert values == sorted(values, reverse=True)
    assert view.execute_script("return getComputedStyle(arguments[0]).outlineStyle", button) == "solid"


def test_words_filter_rows_and_facets_filter_boards_and_figures(view: Chrome) -> None:
    def shown(selector: str) -> list[WebElement]:
        return [one for one in view.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]

    everything = len(shown(".board tbody tr"))
    search = view.find_element(By.ID, "filter")
    search.send_keys("EL2N easy")
    assert {row.find_element(By.TAG_NAME, "bdi").text for row in shown(".board tbody tr")} == {"el2n:direction=easy"}
    assert len(shown(".board")) == 5
    assert view.find_element(By.ID, "count").text == f"5 of {everything} rows"
    Select(view.find_element(By.CSS_SELECTOR, "[data-facet=track]")).select_by_value("online")
    assert {title.text for title in shown(".board h3")} == {f"digits, online labels, ipc {ipc}" for ipc in (1, 10)}
    Select(view.find_element(By.CSS_SELECTOR, "[data-facet=ipc]")).select_by_value("10")
    assert [title.text for title in shown(".board h3")] == ["digits, online labels, ipc 10"]
    assert 0 < len(shown("figure")) < len(view.find_elements(By.TAG_NAME, "figure"))
    assert all("hard labels" not in title.text for title in shown("figure h3"))
    search.send_keys(" nobody")
    assert shown(".nothing")
    view.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    wait(view, "return document.getElementById('count').textContent === arguments[0]", f"{everything} rows")
    assert not shown(".nothing")


def test_a_legend_hides_and_shows_its_trace(view: Chrome) -> None:
    draw(view, "#ipc .plot")
    plot = view.find_element(By.CSS_SELECTOR, "#ipc .plot")
    button = view.find_element(By.CSS_SELECTOR, "#ipc .legend button")
    count = "return arguments[0].querySelectorAll('.scatterlayer .trace').length"
    before = view.execute_script(count, plot)
    view.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    for pressed, expected in (("false", before - 1), ("true", before)):
        button.click()
        wait(view, f"{count} === arguments[1]", plot, expected)
        assert button.get_attribute("aria-pressed") == pressed


def test_a_hostile_name_is_read_and_does_not_run(view: Chrome, hostile: tuple[str, ...]) -> None:
    draw(view, "#difference .plot")
    for plot in view.find_elements(By.CSS_SELECTOR, "#difference .plot"):
        hover = "for (const at in plot.data) Plotly.Fx.hover(plot, [{curveNumber: Number(at), pointNumber: 0}])"
        view.execute_script(f"const plot = arguments[0]; {hover}", plot)
    assert view.execute_script("return window.harmed === undefined")
    assert view.find_elements(By.CSS_SELECTOR, "img:not(.sheet), bdi b, .plot a, .plot image[href^=http]") == []
    names = view.execute_script("return [...document.querySelectorAll('tbody bdi')].map((one) => one.textContent)")
    told = [
        name.replace("\u202e", "⟨202E⟩").replace("\u2028", "⟨2028⟩").replace("\u2029", "⟨2029⟩") for name in hostile
    ]
    assert set(told) <= set(names)
    ticks = view.execute_script(
        "return [...document.querySelectorAll('#difference .ytick text')].map((one) => one.textContent).join(' ')"
    )
    assert "<img src=x" in ticks
    assert "<b>bold</b>" in ticks
    assert errors(view) == []


def test_a_script_that_came_in_after_all_is_refused(view: Chrome) -> None:
    view.execute_script("""
        for (const text of ["window.harmed = 4"]) {
            const script = document.createElement("script");
            script.textContent = text;
            document.body.append(script);
        }
        const place = document.createElement("div");
        place.innerHTML = "<img src=x onerror='window.harmed = 5'>";
        document.body.append(place);""")
    asked = view.execute_async_script(
        "const done = arguments[0]; fetch('https://example.org/').then(() => done('answered'), () => done('refused'))"
    )
    assert asked == "refused"
    assert view.execute_script("return window.harmed === undefined")
    assert sum("Content Security Policy" in message for message in errors(view)) >= 3


def test_the_page_asks_nobody_for_anything(view: Chrome, page: Path) -> None:
    view.get_log("performance")
    view.get(page.as_uri())
    draw(view)
    events = [json.loads(entry["message"])["message"] for entry in view.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert page.as_uri() in asked
    assert [url for url in asked if url != page.as_uri() and not url.startswith(("data:", "blob:"))] == []


def test_the_dark_is_dark_in_plots_too_and_ends(view: Chrome) -> None:
    colour = "return getComputedStyle(document.querySelector('#ipc .ytick text')).fill"
    line = "return getComputedStyle(document.querySelector('#ipc .scatterlayer .js-line')).stroke"
    draw(view, "#ipc .plot")
    for scheme, palette, dark in (("dark", DARK, True), ("light", LIGHT, False), ("dark", DARK, True)):
        emulate(view, scheme)
        wait(view, f"{line.replace('return ', 'return arguments[0].includes(')})", [rgb(one) for one in palette])
        assert (brightness(view.execute_script(colour)) > 128) == dark
        paper = view.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (brightness(paper) < 128) == dark
    assert errors(view) == []


def test_a_phone_scrolls_down_and_never_aside(view: Chrome, page: Path) -> None:
    view.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", _PHONE)
    view.get(page.as_uri())
    draw(view)
    width, wide = view.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert (width, wide) == (360, 360)
    ends = "return [...document.querySelectorAll(arguments[0])].map((one) => one.getBoundingClientRect().right)"
    assert max(view.execute_script(ends, "figure, .main-svg, .xtitle, .legend *, .facets *")) <= 360


def test_paper_has_every_figure(view: Chrome) -> None:
    emulate(view, "dark")
    wait(view, "return matchMedia('(prefers-color-scheme: dark)').matches")
    view.execute_cdp_cmd("Page.printToPDF", {})
    assert view.execute_script("return document.querySelectorAll('.plot:not([data-drawn])').length") == 0
    wait(view, "return document.querySelector('.plot').dataset.drawn === 'yes'")
    assert errors(view) == []


def test_every_table_and_plot_says_what_it_is(view: Chrome) -> None:
    nameless = view.execute_script(
        "return [...document.querySelectorAll('[role=img], [role=region], nav, form, .facets input, .facets select')]"
        ".filter((one) => !(one.getAttribute('aria-label') || one.labels?.length)).length"
    )
    assert nameless == 0
    assert (
        view.execute_script("return document.querySelectorAll('thead th:not([scope]), tbody th:not([scope])').length")
        == 0
    )


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))})"


def brightness(colour: str) -> float:
    numbers = [float(text) for text in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / len(numbers)
