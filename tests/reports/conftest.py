"""Subjects that several tests report on: small networks on two targets, asked for once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from costmodel.reports.content.blocks import Document
from costmodel.reports.content.compose import document
from costmodel.reports.content.subject import Subject, gather

pytest.importorskip("typst")
DATE = "2026-01-31"
MODELS = ("abbnn-reactnet6-digits", "bn-reactnet6-digits")
TARGETS = ("fpga", "asic")


@pytest.fixture(scope="session")
def subject() -> Subject:
    return gather(MODELS, TARGETS, command="costmodel report --model x", rivals=False)


@pytest.fixture(scope="session")
def report(subject: Subject) -> Document:
    return document(subject, "compare", DATE)


@pytest.fixture(scope="session")
def renamed(subject: Subject) -> Subject:
    """The same with a very long name that has few places to break at."""
    name = "a_network_whose_name_is_longer_than_any_column/of.a.table.could_ever_be_expected_to_hold"
    first = replace(subject.networks[0], profile=replace(subject.networks[0].profile, network=name))
    hardware = tuple(
        replace(h, estimates=(replace(h.estimates[0], network=name), *h.estimates[1:])) for h in subject.hardware
    )
    return replace(subject, networks=(first, *subject.networks[1:]), hardware=hardware)
