"""Every control of every page in a real browser: reached by Tab, named, and of use by keyboard as by mouse."""

import importlib.resources

import pytest

from tests.dashboard.page import settle

PAGES = {
    "explorer": "?tab=explorer",
    "design": "?tab=design&net=cnv-w1a1&on=pynq-z2",
    "compare": "?tab=compare&pin=cnv-w1a1@asic-45nm-nangate&pin=cnv-w1a1@asic-7nm-asap7",
    "sweeps": "?tab=sweeps",
}
OPEN_ALL = "for (const group of document.querySelectorAll('details')) group.open = true"
#: What Tab is to reach: all that takes the focus and is seen. Of a group of radio buttons one, of a grid its header.
FOCUSABLE = """() => {
  const shown = e => e.checkVisibility({visibilityProperty: true}) && !e.disabled && e.tabIndex >= 0;
  const name = e => e.type === 'radio' ? 'radio ' + e.name : e.closest('.ag-root') ? 'grid ' + e.closest('.grid').id :
    (e.dataset.at ||= String(window.numbered = (window.numbered || 0) + 1));
  const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')];
  window.nameOfFocus = name;
  return [...new Set(all.filter(shown).filter(e => !e.classList.contains('ag-tab-guard')).map(name))];
}"""
#: The name of what has the focus, what a reader calls it, and whether one sees that it has it.
FOCUSED = """() => {
  const e = document.activeElement;
  if (e === document.body) return null;
  const by = (e.getAttribute('aria-labelledby') || '').split(' ').map(i => document.getElementById(i)?.innerText || '');
  const called = e.getAttribute('aria-label') || [...(e.labels || [])].map(l => l.innerText).join() || by.join('') ||
    e.innerText || e.title;
  const looks = () => [e, e.closest('.mantine-Input-wrapper, .mantine-MultiSelect-input'), e.parentElement,
    e.parentElement.parentElement, e.nextElementSibling].filter(n => n).map(n => getComputedStyle(n))
    .map(s => [s.outlineStyle, s.outlineColor, s.borderColor, s.boxShadow, s.left].join()).join(';');
  const now = looks();
  e.blur();
  const seen = looks() !== now;
  e.focus();
  return [window.nameOfFocus(e), called.trim(), seen, e.outerHTML.slice(0, 120)];
}"""


@pytest.mark.parametrize("tab", PAGES)
def test_tab_reaches_every_control_and_axe_finds_nothing_serious(watched, tab):
    page = watched.open(PAGES[tab])
    # While designs are priced, the figure and what stands next to it are made anew every two seconds.
    page.wait_for_function("!document.querySelector('#pending').innerText.includes('Pricing')")
    settle(page)
    page.evaluate(OPEN_ALL)
    page.add_style_tag(content="* { transition: none !important; }")
    expected, reached = set(page.evaluate(FOCUSABLE)), set()
    for _ in range(2 * len(expected) + 20):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        name, called, seen, html = focused
        reached.add(name)
        assert called and seen, html
    assert len(expected) > 15 and expected - reached == set()

    script = importlib.resources.files("axe_playwright_python") / "axe.min.js"
    page.evaluate(script.read_text(encoding="utf-8"))
    for theme in ("light", "dark"):
        page.locator("header").get_by_text(theme, exact=True).click()
        page.wait_for_selector(f"#shell[data-theme={theme}]")
        settle(page)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [
            (theme, v["id"], v["help"], [n["html"][:160] for n in v["nodes"][:3]])
            for v in found["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == []


#: The controls that are seen: a name that stays when the page is made anew, and the kind. Each is marked with its name.
CONTROLS = """() => {
  const seen = e => e.checkVisibility({visibilityProperty: true}) && !e.disabled && e.getBoundingClientRect().width > 0;
  const kinds = [['mantine-MultiSelect-inputField', 'several'], ['mantine-Select-input', 'select']];
  const found = [];
  for (const e of document.querySelectorAll('#shell [role=radiogroup], #shell input, #shell summary')) {
    if (['radio', 'file'].includes(e.type) || !seen(e)) continue;
    const listed = kinds.find(([name]) => e.classList.contains(name));
    const kind = e.role === 'radiogroup' ? 'radio' : e.tagName === 'SUMMARY' ? 'summary' : listed ? listed[1] : 'text';
    const name = e.labels?.[0]?.innerText || e.getAttribute('aria-label') || e.id || e.innerText ||
      document.getElementById(e.getAttribute('aria-labelledby')).innerText;
    e.dataset.control = name;
    e.dataset.kind = kind;
    found.push([name, kind]);
  }
  return found;
}"""
VALUES = """() => Object.fromEntries([...document.querySelectorAll('[data-control]')].map(e => [e.dataset.control,
  e.dataset.kind === 'radio' ? e.querySelector('input:checked').value :
  e.dataset.kind === 'summary' ? String(e.parentElement.open) :
  e.dataset.kind === 'several' ? [...e.closest('.mantine-MultiSelect-input').querySelectorAll('.mantine-Pill-label')]
    .map(p => p.innerText).join() : e.value]))"""


#: What is typed into boxes of text whose names hold these words, by keyboard alone and after a click.
TYPED = {
    "folding": ("16x3,32x32,16x32,16x32,4x32,1x32,1x4,1x8,1x2", "auto"),
    "kind of layer": ("first=12", "first=10"),
    "activity": ("0.5", "0.7"),
    "ports": ("2", "4"),
    "Constraints": ("LUT <= 20000", "FPS >= 30"),
}
#: Says which unit the next two controls are of, and is no choice of the design.
UNIT = "of unit"
#: What leads to another page of controls: tried last.
LAST = ("Network", "Target")


def typed(it):
    name = it.get_attribute("data-control")
    return next((words for part, words in TYPED.items() if part in name), ("20", "10"))


def by_keyboard(page, it, kind):
    """Change a control by keys; False where there is nothing else to choose."""
    if kind == "radio":
        it.locator("input:checked").focus()
        last = it.evaluate("e => [...e.querySelectorAll('input')].pop().checked")
        page.keyboard.press("ArrowLeft" if last else "ArrowRight")
    elif kind == "summary":
        it.focus()
        page.keyboard.press("Enter")
    elif kind == "text":
        it.focus()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(typed(it)[0])
    else:
        it.focus()
        page.keyboard.press("ArrowDown")  # opens the list
        page.wait_for_selector("[role=option]:visible")
        many = page.locator("[role=option]:visible").count()
        last = page.locator("[role=option]:visible").last.get_attribute("aria-selected") == "true"
        if kind == "select" and many == 1:
            return False
        page.keyboard.press("ArrowUp" if last else "ArrowDown")
        page.keyboard.press("Enter")
        if kind == "several":
            page.keyboard.press("Escape")
    return True


def by_mouse(page, it, kind):
    """Change a control by the mouse; a box of text is typed into."""
    if kind == "radio":
        other = it.evaluate("e => [...e.querySelectorAll('input')].find(i => !i.checked).id")
        page.locator(f"label[for='{other}']").click()
    elif kind == "summary":
        it.click()
    elif kind == "text":
        it.click(click_count=3)
        page.keyboard.type(typed(it)[1])
    else:
        it.click()
        others = page.locator("[role=option]:visible:not([aria-selected=true])")
        if kind == "select":
            others = page.locator("[role=option]:visible").filter(has_not_text=it.input_value())
        others.last.click()
        if kind == "several":
            page.keyboard.press("Escape")
    return True


def values(page):
    """What the controls that are seen are set to, by name."""
    page.evaluate(CONTROLS)
    return page.evaluate(VALUES)


@pytest.mark.slow
@pytest.mark.parametrize("tab", PAGES)
def test_every_control_is_of_use_by_keyboard_and_by_mouse_and_the_link_holds_it(watched, tab):
    page = watched.open(PAGES[tab])
    page.evaluate(OPEN_ALL)
    done = set()
    while todo := [c for c in page.evaluate(CONTROLS) if c[0] not in done]:
        name, kind = min(todo, key=lambda c: c[0] in LAST)
        done.add(name)
        for change in (by_keyboard, by_mouse):
            was, link = values(page), page.url
            if not change(page, page.locator(f'[data-control="{name}"]'), kind):
                break
            if kind != "summary" and name != UNIT:
                page.wait_for_function("link => location.href !== link", arg=link)
            settle(page)
            assert values(page).get(name) != was[name], (name, change)
            assert page.locator("#notice p, #d-error:not(:empty), #whatif-said:not(:empty)").count() == 0, name
    assert len(done) > {"explorer": 20, "design": 25, "compare": 2, "sweeps": 8}[tab]

    def shown():
        page.evaluate(OPEN_ALL)
        return page.url, values(page)

    page.wait_for_timeout(1100)  # what is changed again within a second is one step
    link = page.url
    page.locator("header").get_by_text("dark", exact=True).click()
    page.wait_for_function("link => location.href !== link", arg=link)
    settle(page)
    left = shown()
    page.go_back()
    page.wait_for_function("link => location.href !== link", arg=left[0])
    settle(page)
    assert shown()[1] != left[1]
    page.go_forward()
    page.wait_for_function("link => location.href === link", arg=left[0])
    settle(page)
    assert shown() == left
    page.reload()
    settle(page)
    assert shown() == left
