"""The dashboard in a real browser: Debian's chromium, headless. Skipped where there is none."""

import shutil
import threading
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if BROWSER is None:
    pytest.skip("no chromium", allow_module_level=True)

#: Where axe-core may lie; it is not part of the project.
AXE = [Path.home() / ".cache" / "axe-core" / "axe.min.js", Path("/usr/share/javascript/axe-core/axe.min.js")]
PATIENCE = 60_000


@pytest.fixture(scope="module")
def address(sweep_folder):
    from costmodel.cli.dashboard import make_server

    server = make_server("127.0.0.1", 0, sweeps=[str(sweep_folder)])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as p:
        made = p.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield made
        made.close()


class Watched:
    """A page, and everything it complained about or asked of others."""

    def __init__(self, browser, address, width=1366, height=820):
        self.page = browser.new_page(viewport={"width": width, "height": height}, accept_downloads=True)
        self.page.set_default_timeout(PATIENCE)
        self.address, self.errors, self.outside = address, [], []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.on("request", self._asked)

    def _asked(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.outside.append(request.url)

    def open(self, query=""):
        self.page.goto(self.address + query)
        self.page.wait_for_selector("#summary:not(:empty), #d-command:not(:empty)", state="attached")
        return self.page

    def close(self):
        self.page.close()
        assert self.errors == []
        assert self.outside == []


@pytest.fixture
def watched(browser, address):
    made = Watched(browser, address)
    yield made
    made.close()


def text(page, selector):
    return page.locator(selector).inner_text()


def test_from_the_cloud_to_the_layer(watched):
    """Load, filter, constrain, brush, carry away, click through to a layer, what if, and the link of all that."""
    page = watched.open("?kind=asic&evidence=published")
    page.wait_for_selector("#trade-off .scatterlayer .point")
    assert "Best that remains" in text(page, "#summary")

    # filter and constrain
    everything = text(page, "#summary")
    page.fill("#constraints", "energy <= 100uJ")
    page.wait_for_function("before => document.querySelector('#summary').innerText !== before", arg=everything)
    assert "fail a constraint" in text(page, "#summary")
    assert "Energy an image ≤ 100 µJ" in text(page, "#constraints-said")
    page.wait_for_function("location.search.includes('where=')")

    # brush
    box = page.locator("#trade-off .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + 4, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=6)
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4, steps=6)
    page.mouse.up()
    page.wait_for_function("document.querySelector('#selection-said').innerText.includes('selected')")

    # carry away
    for form, start in (("csv", b"network,target"), ("pdf", b"%PDF")):
        with page.expect_download() as download:
            page.click(f"#get-{form}")
        assert Path(download.value.path()).read_bytes().startswith(start)

    # a double click lets go of the selection; a click on a point of the front opens its design
    page.mouse.dblclick(box["x"] + 30, box["y"] + box["height"] - 30)
    page.wait_for_function("document.querySelector('#selection-said').innerText.includes('front')")
    page.evaluate("document.querySelector('#trade-off').scrollIntoView()")
    where = page.evaluate(
        """() => { const g = document.querySelector('#trade-off .js-plotly-plot'), l = g._fullLayout;
        const t = g.data.filter(t => t.mode === 'markers').pop(), r = g.getBoundingClientRect();
        return [r.x + l.xaxis._offset + l.xaxis.d2p(t.x[0]), r.y + l.yaxis._offset + l.yaxis.d2p(t.y[0]),
                t.customdata[0]]; }"""
    )
    page.mouse.move(where[0], where[1])
    page.wait_for_timeout(300)
    page.mouse.click(where[0], where[1])
    page.wait_for_function("document.querySelector('#d-command').innerText.includes('costmodel profile')")
    network, _, target = where[2].rpartition("@")
    assert text(page, "#d-command") == f"costmodel profile --model {network} --target {target}"

    # down to a layer, by a click on its bar
    page.wait_for_selector("#d-layers .barlayer .point path", state="attached")
    page.evaluate("document.querySelector('#d-layers').scrollIntoView({block: 'center'})")
    bar = page.evaluate(
        """() => { const paths = [...document.querySelectorAll('#d-layers .barlayer .point path')];
        const boxes = paths.map(p => p.getBoundingClientRect()).sort((a, b) => b.height * b.width - a.height * a.width);
        return [boxes[0].x + boxes[0].width / 2, boxes[0].y + boxes[0].height / 2]; }"""
    )
    page.mouse.move(*bar)
    page.wait_for_timeout(300)
    page.mouse.click(*bar)
    page.wait_for_selector("#d-layer-detail table")
    assert "multiply-accumulates" in text(page, "#d-layer-detail")

    # what if
    before = text(page, "#d-headline")
    clock = page.locator("#whatif input").first
    clock.fill("123")
    clock.press("Enter")
    page.wait_for_function("document.querySelector('#d-command').innerText.includes('clock=123000000')")
    assert text(page, "#d-headline") != before
    page.wait_for_function("location.search.includes('set=clock')")
    link = page.url

    # the link brings all of it back
    page.goto(link)
    page.wait_for_function("document.querySelector('#d-command')?.innerText.includes('clock=123000000')")
    page.wait_for_selector("#d-layer-detail table")
    assert network in text(page, "#d-command")
    page.click("#tab-explorer")
    assert page.input_value("#constraints") == "energy <= 100uJ"


def test_compare_by_keyboard(watched):
    page = watched.open("?tab=design&net=cnv-w1a1&on=asic-45nm-nangate")
    page.wait_for_function("document.querySelector('#d-command').innerText !== ''")
    page.focus("#pin")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#pinned-said').innerText.includes('1 of 4')")
    page.focus("#tab-design")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#c-bars .barlayer .point", state="attached")
    assert "cnv-w1a1 on asic-45nm-nangate" in text(page, "#c-designs")


def test_a_sweep_is_drawn(watched):
    page = watched.open("?tab=sweeps&sx=lut&sy=seconds_per_image")
    page.wait_for_selector("#s-cloud .heatmaplayer .hm", state="attached")
    assert "5,000 designs" in text(page, "#s-summary")


@pytest.mark.parametrize("tab", ["explorer", "design", "compare", "sweeps"])
def test_no_view_is_wider_than_a_phone(browser, address, tab):
    watched = Watched(browser, address, 390, 844)
    page = watched.open(f"?tab={tab}&pin=cnv-w1a1@asic-45nm-nangate")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    watched.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("tab", ["explorer", "design", "compare", "sweeps"])
def test_axe_finds_nothing_serious(watched, tab, theme):
    script = next((path for path in AXE if path.exists()), None)
    if script is None:
        pytest.skip("axe-core is not here: npm pack axe-core, and put axe.min.js into ~/.cache/axe-core")
    page = watched.open(f"?tab={tab}&theme={theme}&pin=cnv-w1a1@asic-45nm-nangate&pin=cnv-w1a1@asic-7nm-asap7")
    page.wait_for_timeout(1500)
    page.evaluate(script.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (v["id"], v["help"], [n["html"][:160] for n in v["nodes"][:3]])
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert serious == []
