"""Which packages are installed. Everything else is in pyproject.toml.

``arch_specs``, ``dashboard`` and ``reports`` lie at the top of the repository and are installed under the name of
``costmodel``. A static list in pyproject.toml would miss the sub-package that someone adds tomorrow.
"""

from setuptools import find_packages, setup

TOP = ("arch_specs", "dashboard", "reports")

setup(
    packages=[
        *find_packages(include=["costmodel", "costmodel.*"]),
        *(f"costmodel.{name}" for name in find_packages(include=[p for top in TOP for p in (top, f"{top}.*")])),
    ],
    package_dir={"costmodel": "costmodel", **{f"costmodel.{top}": top for top in TOP}},
)
