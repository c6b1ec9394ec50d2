"""Pictures of the dashboard for its documentation, as chromium shows them: ``make data`` takes them.

Each is a link, which holds the whole state of a page, and the size of a window.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs" / "dashboard"
PINS = (
    "abbnn-reactnet18@asic-45nm-nangate", "bn-reactnet18@asic-45nm-nangate", "bn-bireal18@asic-45nm-nangate",
    "abbnn-reactneta@asic-45nm-nangate",
)  # fmt: skip
#: name -> (link, width and height of the window)
PICTURES = {
    "explorer": ("?data=cifar10&with=", (1366, 900)),
    "design": ("?tab=design&net=cnv-w1a1&on=alveo-u200&of=lut", (1366, 2300)),
    "compare": ("?tab=compare&" + "&".join(f"pin={pin}" for pin in PINS), (1366, 1000)),
    "sweeps": ("?tab=sweeps&sx=lut&sy=seconds_per_image", (1366, 1000)),
    "phone": ("?theme=dark&with=", (390, 844)),
}
#: A million foldings drawn at random, of which all are kept.
SPACE = """\
networks: [cnv-w1a1]
targets:
  - {target: zcu104, folding: {samples: 1e6, seed: 1}, clock: 200e6}
objectives: {fpga: [seconds_per_image, lut]}
"""
#: No callback is under way or about to be, and the page was made.
SETTLED = """() => {
  const { callbacks, isLoading } = window.store?.getState() ?? {};
  if (!callbacks || isLoading || !document.querySelector('#shell')) return false;
  return ['requested', 'prioritized', 'blocked', 'executing', 'watched', 'executed', 'stored']
    .every(name => callbacks[name].length === 0);
}"""


def browser() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def take() -> None:
    """Take all pictures. Needs chromium."""
    from playwright.sync_api import sync_playwright

    from costmodel.dashboard.serve import make_server

    if (program := browser()) is None:
        raise SystemExit("pictures of the dashboard need chromium, which is not installed")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        sweep = Path(name) / "cnv-w1a1-zcu104"
        (Path(name) / "space.yaml").write_text(SPACE)
        words = ["explore", f"{name}/space.yaml", "-o", str(sweep), "--keep-points", "1e6", "--quiet"]
        subprocess.run([sys.executable, "-m", "costmodel.cli.main", *words], check=True, stdout=subprocess.DEVNULL)
        server = make_server("127.0.0.1", 0, sweeps=[str(sweep)])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for picture, (link, (width, height)) in PICTURES.items():
            page = chromium.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(300_000)
            page.goto(f"http://127.0.0.1:{server.server_port}/{link}")
            page.wait_for_function(SETTLED)
            page.wait_for_timeout(1000)  # transitions of the figures
            page.screenshot(path=FOLDER / f"{picture}.png")
            page.close()
        chromium.close()
        server.shutdown()


if __name__ == "__main__":
    take()
