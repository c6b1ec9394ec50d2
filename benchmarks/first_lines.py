"""What each counter tells in its first 25 lines: torchinfo, fvcore, ptflops, larq and costmodel on the same networks.

    python benchmarks/first_lines.py --larq PYTHON
    python benchmarks/first_lines.py --own

writes docs/other_counters.md, or only this program's own answers in it. Each tool is asked as its own documentation
asks it. ``PYTHON`` is that of an environment with larq, which needs TensorFlow (``benchmarks/larq_summary.py`` says how
it is made).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs/other_counters.md"
NETWORKS = {"ResNet-18": "resnet18", "A&B ReActNet-18": "abbnn-reactnet18", "ReActNet-A": "bn-reactneta"}
SHAPE = (1, 3, 224, 224)
LINES, WIDTH = 25, 120
HEAD = """\
# Other counters

What each tool tells in its first {lines} lines about the same three networks, asked as its own documentation asks it.
Lines are cut at {width} characters. Made by `python benchmarks/first_lines.py --larq PYTHON`.

| | binary operations | shifts | what folds away | size of binary weights | hardware | intervals, sources |
| --- | --- | --- | --- | --- | --- | --- |
| torchinfo | as real | no | no | as float32 | no | no |
| fvcore | as real | no | no | no | no | no |
| ptflops | left out, or as real | no | no | as float32 | no | no |
| larq's `summary` | MACs by bit width | no | no | packed | no | no |
| costmodel | XNOR, popcount | three kinds | yes, each proved | packed | yes | yes |

larq's [`models.summary`](https://docs.larq.dev/larq/api/models/) is for Keras layers of its own and cannot read these
networks: they are written down once more in its layers (`benchmarks/larq_summary.py`), where an A&B block has no mask
and no powers of two. It tells products of one bit from others; they are those of `--convention larq`.

A network that binarises inside of `forward` multiplies real numbers in PyTorch: whoever counts calls of `conv2d` sees a
real convolution.
"""


def torchinfo(model: Any, inputs: Any) -> str:
    import torchinfo

    return str(torchinfo.summary(model, input_data=inputs, verbose=0))


def fvcore(model: Any, inputs: Any) -> str:
    from fvcore.nn import FlopCountAnalysis, flop_count_table

    return str(flop_count_table(FlopCountAnalysis(model, inputs).unsupported_ops_warnings(False)))


def ptflops(model: Any, inputs: Any) -> str:
    from ptflops import get_model_complexity_info

    out = io.StringIO()
    get_model_complexity_info(model, tuple(inputs.shape[1:]), print_per_layer_stat=True, ost=out, verbose=False)
    return out.getvalue()


COUNTERS: dict[str, Callable[[Any, Any], str]] = {"torchinfo": torchinfo, "fvcore": fvcore, "ptflops": ptflops}


def ours(name: str) -> str:
    """The first answer, as the command line prints it."""
    command = [sys.executable, "-m", "costmodel", "profile", name, "--target", "fpga"]
    surroundings = {**os.environ, "COLUMNS": str(WIDTH), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True, env=surroundings).stdout


def larq(python: str, name: str) -> tuple[str, str]:
    """The version of larq in another environment, and what it prints about the network of that name."""
    code = "from importlib.metadata import version; print(version('larq'))"
    words = [[python, "-c", code], [python, str(Path(__file__).with_name("larq_summary.py")), name]]
    number, summary = (subprocess.run(w, capture_output=True, encoding="utf-8", check=True).stdout for w in words)
    return f"larq {number.strip()}", summary


def made_again(page: str) -> str:
    """A page with this program's answers as they are today."""
    answers = iter(NETWORKS.values())
    return re.sub(
        re.escape(_heading("costmodel")) + r"(?:    .*\n|\n(?=    ))+",
        lambda _: block("costmodel", ours(next(answers))),
        page,
    )


def block(counter: str, text: str) -> str:
    """What a counter tells, as a part of the page."""
    lines = ["```text", *first(text).splitlines(), "```"]
    return _heading(counter) + "".join(f"    {line}".rstrip() + "\n" for line in lines)


def _heading(counter: str) -> str:
    return f'???{"+" if counter == "costmodel" else ""} note "{counter}"\n'


def first(text: str) -> str:
    """The first lines, cut where they are too long."""
    lines = [line.rstrip()[:WIDTH] for line in text.strip("\n").splitlines()]
    left = len(lines) - LINES
    return "\n".join([*lines[:LINES], *([f"... and {left:,} lines more"] if left > 0 else [])])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--larq", metavar="PYTHON", help="the Python of an environment that has larq")
    which.add_argument("--own", action="store_true", help="only this program's answers are made again")
    args = parser.parse_args()
    from costmodel.files import atomic_write

    if args.own:
        atomic_write(PAGE, made_again(PAGE.read_text(encoding="utf-8")))
        return
    import torch

    import costmodel

    parts = [HEAD.format(lines=LINES, width=WIDTH)]
    for title, name in NETWORKS.items():
        model, inputs = costmodel.build_model(name).eval(), torch.zeros(SHAPE)
        parts.append(f"## {title}\n")
        answers = {}
        for counter, ask in COUNTERS.items():
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
                warnings.simplefilter("ignore")
                answers[f"{counter} {version(counter)}"] = ask(model, inputs)
        counter, summary = larq(args.larq, name)
        answers[counter] = summary
        answers["costmodel"] = ours(name)
        parts += [block(counter, text) for counter, text in answers.items()]
    atomic_write(PAGE, "\n".join(parts))


if __name__ == "__main__":
    main()
