"""``costmodel dashboard``: accuracy against cost in the browser, served to this machine alone."""

from __future__ import annotations

import argparse
import sys

from costmodel.cli import options

HELP = "Explore networks, targets and sweeps in the browser, down to the layer."
EXAMPLES = """\
examples:
  costmodel dashboard
  costmodel dashboard --port 8060 --no-browser
  costmodel dashboard --sweep results --sweep other-results      (folders of costmodel explore -o DIR)
  costmodel dashboard --model my/net.py:build --input 1x3x32x32 --accuracies mine.csv --target chip.yaml

exit status: 0; 2 for bad input
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_network(parser)
    group = parser.add_argument_group("what else is yours")
    options.add(group, "--accuracies", "--sweep")
    options.add(group, "--target", "--data")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address to serve (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=options.whole(0, 65535), default=8050, metavar="N", help="default: 8050; 0: any that is free"
    )
    parser.add_argument("--results", metavar="DIR", help="results instead of the shipped ones")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")


def run(args: argparse.Namespace) -> int:
    from costmodel.dashboard.serve import LOCAL, make_server

    if not (args.models or args.named):
        given = {"--model-args": args.model_args, "--input": args.input, "--checkpoint": args.checkpoint,
                 "--trained": args.trained, "--data": args.data}  # fmt: skip
        options.refuse([flag for flag, value in given.items() if value], "is of a network of yours: name it as well")
    own = None
    if args.models or args.named or args.target or args.accuracies:
        from costmodel.dashboard import own as brought
        from costmodel.views.progress import progress

        requests = options.requests(args) if args.models or args.named else []
        with progress() as announce:
            own = brought.read(requests, args.target, args.accuracies, args.data or "", announce)
    server = make_server(args.host, args.port, args.results, args.sweep, own)
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
