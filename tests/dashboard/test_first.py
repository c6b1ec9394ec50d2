"""The first screen as plain HTML: the same answer and designs as the live page, before any script runs."""

import re
import xml.etree.ElementTree as ET

import pytest

from costmodel.dashboard import first
from costmodel.dashboard.answer import answer, sentence
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.selection import CONTROLS, build
from costmodel.dashboard.state import FIELDS, parse
from tests.dashboard.client import HOST


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


def plot_data(catalogue, link):
    at = {component: link.values[key] for key, (component, *_) in FIELDS.items()}
    return build(catalogue, {name: at[name] for name in CONTROLS})


@pytest.mark.parametrize(
    "query", ["", "?data=imagenet", "?data=mnist&theme=dark", "?x=lut&y=energy_J&ys=log", "?where=LUT<=53200&kind=fpga"]
)
def test_it_says_and_draws_what_the_live_page_does(catalogue, query):
    link = parse(query)
    info, items = plot_data(catalogue, link)
    page = ET.fromstring(first.page(catalogue, link))
    text = " ".join("".join(page.itertext()).split())
    assert sentence(info, answer(info, items), link.values["data"]) in text
    assert all(row.point.label in text for row in answer(info, items))
    for drawn in page.iter("svg"):
        marks = "".join(path.get("d") for path in drawn.iter("path") if path.get("class") == "mark")
        begins = len(re.findall("M", marks))
        assert begins == len(info.points)
    assert f'data-theme="{link.values["theme"]}"' in first.page(catalogue, link)


@pytest.mark.parametrize(
    "query",
    [
        "?tab=design",
        "?x=nonsense",
        "?where=no bound",
        "?data=none",
        "?colour=__class__",
        "?kind=nonsense",
        "?theme=<b>",
    ],
)
def test_what_a_link_holds_makes_no_other_page(catalogue, query):
    shown = first.page(catalogue, parse(query))
    assert "<b>" not in shown
    assert shown == "" or query == "?theme=<b>"


def test_it_comes_with_the_page_and_leaves_the_scripts_alone(client):
    page = client.http.get("/", headers=HOST).get_data(as_text=True)
    assert page.index('id="first"') < page.index('id="react-entry-point"') < page.index("dash_renderer")
    assert 'id="first"' not in client.http.get("/?tab=sweeps", headers=HOST).get_data(as_text=True)
    hostile = client.http.get("/?where=%3Cscript%3Ealert(1)%3C/script%3E", headers=HOST).get_data(as_text=True)
    assert "alert(1)" not in hostile
