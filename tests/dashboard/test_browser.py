"""The dashboard in a real browser: Debian's chromium, headless. Skipped where there is none."""

from pathlib import Path

import pytest

import costmodel
from costmodel.errors import CostmodelError
from tests.dashboard.page import Watched, choose, click_drawn, command, control, served, settle, text


def test_from_the_cloud_to_the_layer(watched):
    """Load, filter, constrain, brush, carry away, click through to a layer, what if, and the link of all that."""
    page = watched.open("?kind=asic&evidence=published")
    page.wait_for_selector("#trade-off .scatterlayer .point")
    assert "best compromise" in text(page, "#summary")

    # filter and constrain
    page.fill("#constraints", "energy <= 100uJ")
    page.wait_for_function("document.querySelector('#constraints-said').innerText.includes('100 µJ')")
    settle(page)
    assert "Energy per image ≤ 100 µJ" in text(page, "#constraints-said")
    assert "fail a constraint" in text(page, "#summary")
    assert "where=" in page.url

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
    page.evaluate("window.scrollTo(0, 0)")
    page.mouse.dblclick(box["x"] + 30, box["y"] + box["height"] - 30)
    page.wait_for_function("document.querySelector('#selection-said').innerText.includes('front')")
    settle(page)
    page.evaluate("document.querySelector('#trade-off').scrollIntoView()")
    where = page.evaluate(
        """() => { const g = document.querySelector('#trade-off .js-plotly-plot'), l = g._fullLayout;
        const t = g.data.filter(t => t.mode === 'markers').pop(), r = g.getBoundingClientRect();
        return [r.x + l.xaxis._offset + l.xaxis.d2p(t.x[0]), r.y + l.yaxis._offset + l.yaxis.d2p(t.y[0]),
                t.customdata[0].split("#")[0]]; }"""
    )
    click_drawn(page, "#trade-off", where[:2])
    network, _, target = where[2].rpartition("@")
    assert command(page, network, target) == f"costmodel profile --model {network} --target {target}"

    # down to a layer, by a click on its bar
    page.wait_for_selector("#d-layers .barlayer .point path", state="attached")
    page.evaluate("document.querySelector('#d-layers').scrollIntoView({block: 'center'})")
    bar = page.evaluate(
        """() => { const paths = [...document.querySelectorAll('#d-layers .barlayer .point path')];
        const boxes = paths.map(p => p.getBoundingClientRect()).sort((a, b) => b.height * b.width - a.height * a.width);
        return [boxes[0].x + boxes[0].width / 2, boxes[0].y + boxes[0].height / 2]; }"""
    )
    click_drawn(page, "#d-layers", bar)
    page.wait_for_selector("#d-layer-detail table")
    assert "multiply-accumulates" in text(page, "#d-layer-detail")

    # what if
    before = text(page, "#d-headline")
    control(page, "clock [MHz]").fill("123")
    command(page, "clock=123000000")
    assert text(page, "#d-headline") != before
    assert "set=clock%3D123000000" in page.url
    link, shown = page.url, text(page, "#d-headline")

    # the link brings all of it back
    page.goto("about:blank")
    page.goto(link)
    settle(page)
    page.wait_for_selector("#d-layer-detail table")
    assert text(page, "#d-command") == f"costmodel profile --model {network} --target {target} --set clock=123000000"
    assert text(page, "#d-headline") == shown
    assert page.url == link
    page.click("#tab-explorer")
    assert page.input_value("#constraints") == "energy <= 100uJ"


def test_what_if_is_live_and_the_command_says_all_of_it(watched):
    page = watched.open("?tab=design&net=cnv-w1a1&on=pynq-z2")
    shown = {text(page, "#d-headline")}
    choose(page, "scale option", "csd2")
    command(page, "--set scale=csd2")
    shown.add(text(page, "#d-headline"))
    choose(page, "of unit", "convs.0")
    settle(page)
    choose(page, "PE", "2")
    folded = costmodel.profile("cnv-w1a1").estimate("pynq-z2", scale="csd2").facts["folding"]
    (_, simd), *others = folded.values()
    spelled = ",".join(f"{p}x{s}" for p, s in ((2, simd), *others))
    said = command(page, f"--set folding={spelled}")
    shown.add(text(page, "#d-headline"))
    assert said == f"costmodel profile --model cnv-w1a1 --target pynq-z2 --set scale=csd2 --set folding={spelled}"
    page.click("#whatif-reset")
    page.wait_for_function("!document.querySelector('#d-command').innerText.includes('--set')")
    settle(page)
    assert text(page, "#d-headline") in shown and len(shown) == 3

    # another target knows nothing of the choices of this one, at no time
    control(page, "clock [MHz]").fill("150")
    command(page, "clock=150000000")
    page.evaluate(
        """() => { window.said = []; new MutationObserver(() =>
        window.said.push(document.querySelector('#d-command').innerText)).observe(
        document.querySelector('#d-command'), {childList: true, characterData: true, subtree: true}); }"""
    )
    page.click("#d-target")
    page.locator("[role=option]:visible").get_by_text("asic-45nm-nangate", exact=True).click()
    assert command(page, "asic-45nm") == "costmodel profile --model cnv-w1a1 --target asic-45nm-nangate"
    assert all("clock" not in words for words in page.evaluate("window.said"))


def test_the_report_of_a_design_is_downloaded(watched):
    page = watched.open("?tab=design&net=abbnn-reactnet6-digits&on=pynq-z2&set=clock=150000000")
    with page.expect_download() as download:
        page.click("#d-report")
    assert download.value.suggested_filename == "report-abbnn-reactnet6-digits-pynq-z2.pdf"
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")
    settle(page)
    assert "1 network on 1 target" in text(page, "#d-report-said")


def test_what_is_wrong_with_a_folder_is_said_on_the_page(browser, tmp_path):
    from costmodel.dashboard.serve import make_server

    (tmp_path / "broken" / "parts").mkdir(parents=True)
    (tmp_path / "broken" / "parts" / "part-0.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(CostmodelError, match="there is no folder"):  # before anything is served
        make_server("127.0.0.1", 0, sweeps=[str(tmp_path / "missing")])
    with served(sweeps=[str(tmp_path / "broken")]) as address:
        watched = Watched(browser, address)
        page = watched.open("?tab=sweeps&sweep=0")
        assert "can be read" in text(page, "#s-cloud").replace("\n", " ")
        watched.close()


def test_compare_by_keyboard(watched):
    page = watched.open("?tab=design&net=cnv-w1a1&on=asic-45nm-nangate")
    page.focus("#pin")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#pinned-said').innerText.includes('1 of 4')")
    page.focus("#tab-design")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#c-bars .barlayer .point", state="attached")
    assert "cnv-w1a1 on asic-45nm-nangate" in text(page, "#c-designs")


def test_designs_are_opened_by_keyboard_and_back_and_forward_are_steps(watched):
    page = watched.open("?data=cifar10")
    page.fill("#constraints", "latency <= 1 ms")
    page.wait_for_function("location.search.includes('where=')")
    settle(page)
    button = page.locator("#answer button").first
    named = button.inner_text()
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("location.search.includes('tab=design')")
    settle(page)
    assert f"{page.input_value('#d-network')} on {page.input_value('#d-target')}" == named

    page.go_back()
    page.wait_for_function("!location.search.includes('tab=design')")
    settle(page)
    assert page.locator("#summary").is_visible() and page.input_value("#constraints") == "latency <= 1 ms"
    page.go_back()
    page.wait_for_function("!location.search.includes('where=')")
    settle(page)
    assert page.input_value("#constraints") == ""
    page.go_forward()
    page.wait_for_function("location.search.includes('where=')")
    settle(page)
    assert page.input_value("#constraints") == "latency <= 1 ms"

    cell = page.locator("#designs .ag-center-cols-container [row-index='0'] [col-id='network']")
    listed = cell.inner_text()
    cell.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("location.search.includes('tab=design')")
    settle(page)
    assert page.input_value("#d-network") == listed


def test_what_is_wrong_with_an_upload_is_said(watched, tmp_path):
    page = watched.open("?tab=design")
    for name, content, said in (
        ("big.yaml", b"a" * 300 * 1024, "at most 256 KiB"),
        ("note.txt", b"- no target", "mapping"),
        ("deep.yaml", b"a: " + b"[" * 2000, "levels deep"),
    ):
        (tmp_path / name).write_bytes(content)
        page.set_input_files("#upload input[type=file]", str(tmp_path / name))
        page.wait_for_function("said => document.querySelector('#upload-said').innerText.includes(said)", arg=said)


def test_a_link_brings_back_selection_and_zoom(watched):
    page = watched.open("?data=cifar10")
    figure = "document.querySelector('#trade-off .js-plotly-plot')"
    keys = page.evaluate(f"{figure}.data.filter(t => (t.customdata || []).length > 1).pop().customdata.slice(0, 2)")
    query = "&".join(f"sel={key.replace('#', '%23')}" for key in keys)
    page.goto("about:blank")
    page = watched.open(f"?data=cifar10&{query}&zoom=latency_s|accuracy|log|linear|-5,-3,80,95")
    assert text(page, "#selection-said").startswith("2 selected")
    assert page.evaluate(f"{figure}._fullLayout.xaxis.range") == [-5, -3]
    chosen = page.evaluate(f"{figure}.data.flatMap(t => (t.selectedpoints || []).map(i => t.customdata[i]))")
    assert sorted(chosen) == sorted(keys)
    page.click("#x-clear")
    page.wait_for_function("document.querySelector('#selection-said').innerText.includes('front')")
    settle(page)
    assert "sel=" not in page.url and "zoom=" in page.url


@pytest.mark.parametrize("tab", ["explorer", "design", "compare", "sweeps"])
def test_no_view_is_wider_than_a_phone(browser, address, tab):
    watched = Watched(browser, address, 390, 844)
    page = watched.open(f"?tab={tab}&pin=cnv-w1a1@asic-45nm-nangate")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    watched.close()
