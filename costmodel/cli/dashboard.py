"""``costmodel dashboard``: accuracy against cost in the browser, served to this machine alone."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from costmodel.errors import CostmodelError, MissingExtraError

HELP = "Explore networks, targets and sweeps in the browser, down to the layer."
EXAMPLES = """\
examples:
  costmodel dashboard
  costmodel dashboard --port 8060 --no-browser
  costmodel dashboard --sweep results --sweep other-results      (folders of costmodel explore -o DIR)

exit status: 0; 2 for bad input
"""
LOCAL = ("127.0.0.1", "localhost", "::1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address to serve (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8050, metavar="N", help="default: 8050; 0: any that is free")
    parser.add_argument("--results", metavar="DIR", help="results in place of the shipped ones")
    folder = "result folder of `costmodel explore` (repeatable)"
    parser.add_argument("--sweep", metavar="DIR", action="append", default=[], help=folder)
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")


def run(args: argparse.Namespace) -> int:
    server = make_server(args.host, args.port, args.results, args.sweep)
    shown = "127.0.0.1" if args.host in ("0.0.0.0", "::") else args.host
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{server.server_port}/"
    if args.host not in LOCAL:
        print(
            f"warning: serving {args.host}: anyone who reaches this machine can use the dashboard; it has no password",
            file=sys.stderr,
        )
    print(f"costmodel dashboard: {address} (stop with Ctrl-C)", flush=True)
    if not args.no_browser:
        import threading
        import webbrowser

        threading.Timer(0.3, webbrowser.open, (address,)).start()
    try:
        server.serve_forever()
    finally:
        server.server_close()
    return 0


def make_server(host: str, port: int, results: str | None = None, sweeps: list[str] | None = None) -> Any:
    """A server that is bound and not yet serving. Raises :class:`CostmodelError` where it cannot be."""
    if not 0 <= port <= 65535:
        raise CostmodelError(f"--port {port}: expected 0 to 65535")
    try:
        import dash  # noqa: F401
        import dash_ag_grid  # noqa: F401
        import dash_mantine_components  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("the dashboard", str(error.name), "dashboard") from None
    import logging

    from werkzeug.serving import make_server as bind

    from costmodel.dashboard import app as application
    from costmodel.dashboard.results import DATA

    hosts = application.LOCAL if host in LOCAL else None
    folder = Path(results) if results else DATA
    app = application.make_app(folder, [Path(s) for s in sweeps or ()], hosts)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        return bind(host, port, app.server, threaded=True)
    except SystemExit:  # werkzeug prints and exits where the port is taken
        raise CostmodelError(f"port {port} of {host} is in use: choose another with --port, or 0 for any") from None
    except OSError as error:
        raise CostmodelError(f"cannot serve {host}:{port}: {error.strerror or error}") from error
