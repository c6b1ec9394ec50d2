"""Which packages are installed, and what the index of packages shows. Everything else is in pyproject.toml.

``arch_specs``, ``dashboard`` and ``reports`` lie at the top of the repository and are installed under the name of
``costmodel``. A static list in pyproject.toml would miss the sub-package that someone adds tomorrow.

The description of the package is the README without its links to files of the repository, which lead nowhere on the
page of an index of packages.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

TOP = ("arch_specs", "dashboard", "reports")

RELATIVE = r"(?!https?:|#)[^)\s]+"


def description() -> str:
    """The README with the words of its relative links, and without its relative pictures."""
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    text = re.sub(rf"!\[[^\]]*\]\({RELATIVE}\)\n*", "", text)
    return re.sub(rf"\[([^\]]+)\]\({RELATIVE}\)", r"\1", text)


setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    packages=[
        *find_packages(include=["costmodel", "costmodel.*"]),
        *(f"costmodel.{name}" for name in find_packages(include=[p for top in TOP for p in (top, f"{top}.*")])),
    ],
    package_dir={"costmodel": "costmodel", **{f"costmodel.{top}": top for top in TOP}},
)
