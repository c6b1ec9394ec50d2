"""A server of the dashboard, bound to an address and not yet serving."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError, MissingExtraError

if TYPE_CHECKING:
    from costmodel.dashboard.own import Own

LOCAL = ("127.0.0.1", "localhost", "::1")


def make_server(
    host: str, port: int, results: str | None = None, sweeps: list[str] | None = None, own: Own | None = None
) -> Any:
    """A server that is bound and not yet serving. Raises :class:`CostmodelError` where it cannot be."""
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
    from costmodel.dashboard.sweeps import Sweep

    for sweep in sweeps or ():
        _ = Sweep(Path(sweep)).parts  # says what is wrong with a folder, before the browser opens
    hosts = application.LOCAL if host in LOCAL else None
    folder = Path(results) if results else DATA
    app = application.make_app(folder, [Path(s) for s in sweeps or ()], hosts, own)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        return bind(host, port, app.server, threaded=True)
    except SystemExit:  # werkzeug prints and exits where the port is taken
        raise CostmodelError(f"port {port} of {host} is in use: choose another with --port, or 0 for any") from None
    except OSError as error:
        raise CostmodelError(f"cannot serve {host}:{port}: {error.strerror or error}") from error
