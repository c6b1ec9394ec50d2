"""The command line: finds the verb, imports only its module, and turns errors into exit statuses.

Exit status: 0 done, 1 done but a check failed (``--strict``), 2 bad input or another failure, 130 interrupted. A verb
is a module with ``HELP`` (one line), ``add_arguments(parser)`` and ``run(args) -> int``; optionally ``EXAMPLES`` (text
under its help).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import io
import os
import re
import sys
from types import ModuleType
from typing import Any, NoReturn

from costmodel.errors import CostmodelError, MissingExtraError, UnknownNameError

#: verb -> (module, one line of help). A static table, so that listing the verbs imports none of them.
VERBS: dict[str, tuple[str, str]] = {
    "profile": ("costmodel.cli.profile", "operations, bits moved and hardware cost of a network, layer by layer"),
    "compare": ("costmodel.cli.compare", "reconcile networks and counting conventions line by line"),
    "models": ("costmodel.cli.models", "list the networks of the zoo"),
    "targets": ("costmodel.cli.targets", "list hardware targets, or show every constant of one with its source"),
    "validate": ("costmodel.cli.validate", "compare estimates with measurements, with baselines next to them"),
    "calibrate": ("costmodel.cli.calibrate", "make constants again: synthesis, this machine, your measurements"),
    "fold": ("costmodel.cli.fold", "the best folding of a network on an FPGA, exactly"),
    "explore": ("costmodel.cli.explore", "the Pareto-optimal designs of a space of networks, targets and options"),
    "deploy": ("costmodel.cli.deploy", "the deployed network: rewritten, proved by running it, packed into a file"),
    "train": ("costmodel.cli.train", "train a network, resume it, and record its accuracy"),
    "dashboard": ("costmodel.cli.dashboard", "explore networks, targets and sweeps in the browser"),
    "report": ("costmodel.cli.report", "a report as PDF, HTML, Markdown or LaTeX, with sources and intervals"),
    "cache": ("costmodel.cli.cache", "show or clear the store of profiles"),
    "completion": ("costmodel.cli.completion", "print a completion script for bash, zsh or fish"),
}
#: Options that name a file to write, and verbs whose ``-o`` is a folder instead, which they make.
WRITTEN = ("output", "bibtex", "json", "qonnx")
FOLDERS = ("explore", "train")

EXAMPLES = """\
examples:
  costmodel profile abbnn --target fpga
  costmodel profile my/net.py:build --input 1x3x32x32 --format json -o net.json
  costmodel compare abbnn reactnet18 bireal18 --conventions
  costmodel models '*react*'
  costmodel targets fpga
"""

BROKEN_PIPE = 141  # 128 + SIGPIPE, what a shell reports for a tool whose reader went away
INTERRUPTED = 130  # 128 + SIGINT
#: Environment variable that lets what is not bad input through, with its traceback.
DEBUG = "COSTMODEL_DEBUG"
#: The extra of what a command cannot do without, where it is not called as the command is.
EXTRA_OF = {"fold": "explore", "report": "reports"}
#: Extras that no command needs.
OWN = ("test", "docs")
#: Packages that are not imported by the name that they are installed by.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "google": "protobuf"}
NO_TORCH = (
    "torch is not installed: pip install torch. On Linux without a GPU, add --index-url "
    "https://download.pytorch.org/whl/cpu for the build without CUDA, which is much smaller"
)


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit status; without ``argv`` that of the process."""
    if argv is not None:
        return _run(list(argv))
    # A command makes many objects that live to its end, and few cycles: looking for them at its start and once more at
    # its end would take a fifth of the time of an answer from the store.
    gc.set_threshold(200_000, 20, 20)
    try:
        status = _run(sys.argv[1:])
        _leave(status)
        return status
    finally:
        gc.freeze()


def _leave(status: int) -> None:
    """A thread or a hook of the user's code does not keep the process from ending."""
    running = sys.modules.get("costmodel.load.running")
    if running is not None:
        running.leave(status)


def _run(arguments: list[str]) -> int:
    """Whatever fails ends in one line on standard error."""
    closed = _streams()
    try:
        status = dispatch(arguments)
        if closed is not None and closed.tell():
            raise CostmodelError("standard output is closed, and the answer has nowhere to go: give -o FILE")
        sys.stdout.flush()
        return status
    except CostmodelError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # The reader went away (`costmodel models | head`). Python would complain once more while flushing at exit.
        _discard_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        _fail("", "interrupted")
        return INTERRUPTED
    except OSError as error:
        _discard_output()
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}")
    except MemoryError:
        return _fail("out of memory: try a smaller input, or a machine with more")
    except RecursionError as error:
        return _fail(
            "something is nested too deeply: a file that was given, or the modules of the network", error=error
        )
    except SystemExit as end:
        if end.code in (0, None):
            raise  # --help, --version
        return _fail(f"the program was left with exit status {end.code!r}")
    except BaseException as error:  # a fault of this program: one line, and where it is on request
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            return _fail(NO_TORCH, error=error)
        if isinstance(error, ModuleNotFoundError) and (advice := _advice(error.name or "", arguments)):
            return _fail(advice, error=error)
        import traceback

        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.filename.rpartition(os.sep)[2]}, line {frame.lineno}"
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return _fail(f"{what} ({place}). This should not happen; {DEBUG}=1 shows the whole traceback", error=error)


def _advice(module: str, arguments: list[str]) -> str:
    """How to install what a command needs besides the package itself; nothing for a module that no extra brings."""
    from importlib.metadata import PackageNotFoundError, requires

    package = module.partition(".")[0]
    package = DISTRIBUTIONS.get(package, package).replace("_", "-").casefold()
    try:
        wanted = [row.partition(";") for row in requires("costmodel") or ()]
    except PackageNotFoundError:
        return ""
    extras = [
        rest.partition("extra ==")[2].strip(" '\"()") for name, _, rest in wanted
        if "extra ==" in rest and re.split(r"[\[<>=!~ (]", name.strip())[0].replace("_", "-").casefold() == package
    ]  # fmt: skip
    verb = next((word for word in arguments if word in VERBS), "")
    if verb == "calibrate" and "deploy" in extras:
        extras.insert(0, verb)  # it brings the other
    extra = next((e for e in extras if e in (verb, EXTRA_OF.get(verb))), next((e for e in extras if e not in OWN), ""))
    return str(MissingExtraError(f"costmodel {verb}".strip(), module, extra)) if extra else ""


def _streams() -> io.StringIO | None:
    """Standard output that takes every character; what stands in for one that was closed, None where it was not."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = io.StringIO()
        return sys.stdout
    if not (sys.stdout.encoding or "").lower().startswith("utf") and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    return None


def _fail(message: str, what: str = "", error: BaseException | None = None) -> int:
    """Say in one line what failed; the status of bad input."""
    if error is not None and os.environ.get(DEBUG):
        raise error
    text = what or f"error: {' '.join(message.split())}"
    with contextlib.suppress(OSError, ValueError):
        print(f"costmodel: {text}", file=sys.stderr)
    return 2


def _discard_output() -> None:
    """Python flushes standard output once more at its end, and would complain about it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def dispatch(arguments: list[str]) -> int:
    """Find the verb among ``arguments`` and run it. Raises :class:`CostmodelError` on bad input."""
    if arguments[:1] == ["help"]:
        return dispatch([*arguments[1:2], "--help"])
    if not arguments or arguments[0].startswith("-"):
        if top_parser().parse_args(arguments or ["--help"]).version:  # else --help, or an error of its own
            import costmodel

            print(f"costmodel {costmodel.__version__}")
        return 0
    verb = arguments[0]
    if verb not in VERBS:
        raise UnknownNameError("command", verb, VERBS, "See: costmodel --help")
    module = load(verb)
    parser = verb_parser(verb, module)
    _check_options(verb, parser, arguments[1:])
    args = parser.parse_intermixed_args(arguments[1:])
    for action in parser._actions:  # argparse makes an empty list of the value `--`
        given = getattr(args, action.dest, None)
        values = given if isinstance(action, argparse._AppendAction) else [given]
        if action.nargs is None and [] in (values or ()):
            raise CostmodelError(f"{'/'.join(action.option_strings)}: expected a value, and not --")
    for name in WRITTEN:
        path = getattr(args, name, None)
        if path is not None and not (name == "output" and verb in FOLDERS):
            from costmodel.files import destination

            destination(path)
    with _limited(getattr(args, "timeout", None)):
        return int(module.run(args) or 0)


def _limited(seconds: float | None) -> contextlib.AbstractContextManager[None]:
    """How long each step of a user's code may take, where a verb runs such code."""
    if seconds is None:
        return contextlib.nullcontext()
    from costmodel.load.running import limited

    return limited(seconds)


def _check_options(verb: str, parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """A misspelt option is named as such, with what it may have been meant to be."""
    known = parser._option_string_actions
    for argument in arguments:
        if argument == "--":
            return
        name = argument.partition("=")[0]
        if name.startswith("--") and " " not in name and not any(option.startswith(name) for option in known):
            options = [option for option in known if option.startswith("--")]
            raise UnknownNameError("option", name, options, f"See: costmodel {verb} --help")


class _Parser(argparse.ArgumentParser):
    """Errors in one line, like all others of this program."""

    def error(self, message: str) -> NoReturn:
        raise CostmodelError(f"{message.removeprefix('argument ')}. See: {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """A value that is none of the choices is named with the nearest, as any other name."""
        if action.choices is not None and value not in action.choices:
            of = "/".join(action.option_strings) or action.dest
            known = [str(choice) for choice in action.choices]
            advice = f"Choose from {', '.join(known)}. See: {self.prog} --help"
            raise UnknownNameError(f"value of {of}", str(value), known, advice)


def load(verb: str) -> ModuleType:
    """Import the module of one verb."""
    return importlib.import_module(VERBS[verb][0])


def verb_parser(verb: str, module: ModuleType) -> argparse.ArgumentParser:
    """The argument parser of one verb."""
    parser = _Parser(
        prog=f"costmodel {verb}",
        description=module.HELP,
        epilog=getattr(module, "EXAMPLES", None),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser


def top_parser() -> argparse.ArgumentParser:
    """The parser of ``costmodel`` itself: its help is the list of verbs."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:{width}}  {text}" for verb, (_, text) in VERBS.items())
    parser = _Parser(
        prog="costmodel",
        usage="costmodel COMMAND [OPTION...]",
        description="What a binary neural network costs: in operations, in bits moved, and on hardware.",
        epilog=f"commands:\n{verbs}\n\n{EXAMPLES}\ncostmodel COMMAND --help explains one command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    return parser


if __name__ == "__main__":
    sys.exit(main())
