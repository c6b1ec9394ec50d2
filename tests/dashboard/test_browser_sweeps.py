"""Sweeps in a real browser: what is drawn in a figure, or dragged along an axis, filters, and the link holds it."""

from tests.dashboard.page import settle, text

AXIS = """n => { const r = document.querySelectorAll('#s-parallel .axis-brush .background')[n].getBoundingClientRect();
return [r.x + r.width / 2, r.y, r.height]; }"""
RANGES = """() => document.querySelector('#s-parallel .js-plotly-plot').data[0].dimensions
.map(axis => axis.constraintrange || null)"""
#: Of the members in the figure those that stand out; all where none does.
BRIGHT = """() => document.querySelector('#s-cloud .js-plotly-plot').data.filter(t => (t.customdata || []).length)
.flatMap(t => t.selectedpoints ? t.selectedpoints.map(i => t.customdata[i]) : t.customdata).filter(ref => ref).sort()"""


def kept(page, *words):
    """How many members are listed, once the page says these words."""
    for word in words:
        page.wait_for_function("word => document.querySelector('#s-brushed')?.innerText.includes(word)", arg=word)
    settle(page)
    return page.evaluate("dash_ag_grid.getApi('s-members').getDisplayedRowCount()")


def drag(page, axis, begin, end):
    """Along an axis of the parallel coordinates, between shares of its height."""
    x, top, height = page.evaluate(AXIS, axis)
    page.mouse.move(x, top + begin * height)
    page.mouse.down()
    page.mouse.move(x, top + (begin + end) / 2 * height, steps=5)
    page.mouse.move(x, top + end * height, steps=5)
    page.mouse.up()


def test_what_is_dragged_along_axes_filters_and_is_in_the_link(watched):
    page = watched.open("?tab=sweeps")
    page.wait_for_selector("#s-parallel .axis-brush .background", state="attached")
    every, lit = kept(page, "members of fronts."), page.evaluate(BRIGHT)
    page.evaluate("document.querySelector('#s-parallel').scrollIntoView({block: 'center'})")
    drag(page, 0, 0.8, 0.4)
    page.wait_for_function("location.search.includes('drag=')")
    one = kept(page, "lie within")
    assert 0 < one < every and set(page.evaluate(BRIGHT)) < set(lit)
    drag(page, 1, 0.95, 0.3)
    page.wait_for_function("new URLSearchParams(location.search).getAll('drag').length === 2")
    both = kept(page, "lie within")
    assert 0 < both < one
    held = (page.url, text(page, "#s-brushed"), both, page.evaluate(BRIGHT))

    def there():
        return page.url, text(page, "#s-brushed"), kept(page), page.evaluate(BRIGHT)

    page.go_back()
    page.wait_for_function("new URLSearchParams(location.search).getAll('drag').length === 1")
    assert kept(page, f"{one} of these lie within") == one
    page.go_forward()
    page.wait_for_function("new URLSearchParams(location.search).getAll('drag').length === 2")
    assert kept(page, f"{both} of these lie within") == both and there() == held
    page.reload()
    assert kept(page, f"{both} of these lie within") == both and there() == held
    assert sum(r is not None for r in page.evaluate(RANGES)) == 2

    # a constraint keeps members as well, for those who do not drag; buttons let go
    page.fill("#s-where", "BRAM <= 40")
    page.wait_for_function("document.querySelector('#s-where-said').innerText.includes('≤ 40')")
    assert 0 < kept(page, " of these lie within") <= both and "swhere=BRAM" in page.url
    page.fill("#s-where", "")
    page.wait_for_function("!document.querySelector('#s-where-said').innerText")
    page.focus("#s-free")
    page.keyboard.press("Enter")
    assert kept(page, f"{every} members of fronts.") == every and page.evaluate(BRIGHT) == lit
    assert page.evaluate(RANGES) == [None] * len(page.evaluate(RANGES))


def test_a_sweep_is_drawn_and_brushed_and_the_link_holds_the_box(watched):
    page = watched.open("?tab=sweeps&sx=lut&sy=seconds_per_image")
    page.wait_for_selector("#s-cloud .heatmaplayer .hm", state="attached")
    assert "5,000 designs" in text(page, "#s-summary")
    page.hover("#s-cloud .nsewdrag")
    page.click("#s-cloud .modebar [data-title='Box Select']")
    box = page.locator("#s-cloud .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5, steps=4)
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.97, steps=4)
    page.mouse.up()
    members = kept(page, "selected")
    said = text(page, "#s-brushed")
    number = int(said.split()[0].replace(",", ""))
    assert 0 < number < 5000 and 0 < members < number
    drawn = "document.querySelector('#s-cloud .js-plotly-plot').data[0].x.length"
    assert page.evaluate(drawn) == number if number <= 2000 else page.evaluate(drawn) <= 2000
    assert "sbox=lut%7Cseconds_per_image%7Clog%7Clog%7C" in page.url

    link, points = page.url, page.evaluate(drawn)
    page.reload()
    assert kept(page, said) == members and page.url == link and page.evaluate(drawn) == points
    outlines = "document.querySelectorAll('#s-cloud .selectionlayer path').length"
    assert page.evaluate(outlines) > 0
    page.click("#s-clear")
    page.wait_for_function("!location.search.includes('sbox=')")
    assert kept(page, "members of fronts.") > members and page.evaluate(outlines) == 0
    assert page.evaluate(drawn) == 0
