"""A page of the dashboard in a real browser, and what one does with it: Debian's chromium, headless."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 240_000
#: No callback is under way or about to be, and the page was made.
SETTLED = """() => {
  const { callbacks, isLoading } = window.store?.getState() ?? {};
  if (!callbacks || isLoading || !document.querySelector('#shell')) return false;
  return ['requested', 'prioritized', 'blocked', 'executing', 'watched', 'executed', 'stored']
    .every(name => callbacks[name].length === 0);
}"""


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
        settle(self.page)
        self.page.wait_for_function("!document.getElementById('first')")  # it makes way for the live page
        return self.page

    def close(self):
        self.page.close()
        assert self.errors == []
        assert self.outside == []


def settle(page):
    """Wait until the page is what it will be: text that is waited for may be there before all else is."""
    page.wait_for_function(SETTLED)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_function(SETTLED)


def text(page, selector):
    return page.locator(selector).inner_text()


def command(page, *words):
    """The command line, once it has these words."""
    for word in words:
        page.wait_for_function("word => document.querySelector('#d-command')?.innerText.includes(word)", arg=word)
    settle(page)
    return text(page, "#d-command")


def control(page, name):
    """The control of a choice, found by its label, wherever its group is."""
    group = page.locator("#whatif details").filter(has=page.get_by_label(name, exact=True))
    group.evaluate("group => { group.open = true; }")
    return page.locator("#whatif").get_by_label(name, exact=True)


def choose(page, name, option):
    """Choose from a list of the what-if panel."""
    box = control(page, name).locator("visible=true").first
    box.click()
    page.locator("[role=option]:visible").get_by_text(option, exact=True).click()


def click_drawn(page, figure, where):
    """Click what is drawn at a place, once the figure has noticed that the mouse is there."""
    page.mouse.move(where[0] - 1, where[1] - 1)
    page.mouse.move(*where)
    page.wait_for_selector(f"{figure} .hoverlayer .hovertext", state="attached")
    page.mouse.click(*where)


@contextmanager
def served(**options: Any) -> Iterator[str]:
    """The address of a server of its own, while it serves."""
    from costmodel.dashboard.serve import make_server

    server = make_server("127.0.0.1", 0, **options)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
