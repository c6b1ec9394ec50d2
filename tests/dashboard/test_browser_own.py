"""All that is the user's own in one session of a real browser: networks, an ONNX file, accuracies, targets, a sweep."""

import pytest

from costmodel import api
from costmodel.dashboard.own import read
from tests.dashboard.page import Watched, command, served, settle, text
from tests.dashboard.test_own import CSV, NET
from tests.dashboard.test_upload import GOOD

#: Of every trace of a figure the keys of its points.
KEYS = "n => document.querySelector(n + ' .js-plotly-plot').data.flatMap(t => t.customdata || [])"


@pytest.fixture
def own(tmp_path):
    """A network of a Python file in two widths, one of an ONNX file, accuracies of two of them, and a target."""
    import torch
    from torch import nn

    (tmp_path / "net.py").write_text(NET)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(900, 10)).eval()
    torch.onnx.export(net, torch.zeros(1, 3, 32, 32), tmp_path / "small.onnx", dynamo=False)
    (tmp_path / "mine.csv").write_text(CSV + "small.onnx,,cifar10,61.5,measured,one seed,10\n")
    (tmp_path / "chip.yaml").write_text(GOOD)
    requests = [
        api.make_request(f"{tmp_path}/net.py:build", "1x3x32x32"),
        api.make_request(f"{tmp_path}/net.py:build", "1x3x32x32", arguments={"width": 4}),
        api.make_request(f"{tmp_path}/small.onnx"),
    ]
    return read(requests, [f"{tmp_path}/chip.yaml"], [f"{tmp_path}/mine.csv"])


@pytest.mark.slow
def test_all_of_ones_own_is_in_one_figure_and_leads_to_its_designs(browser, own, sweep_folder, tmp_path):
    with served(own=own, sweeps=[str(sweep_folder)]) as address:
        watched = Watched(browser, address)
        names, [chip] = [n.row.name for n in own.networks], [t.row.name for t in own.targets]
        page = watched.open("?target=" + "&target=".join(["xne", "pynq-z2", chip]))
        page.wait_for_function(
            """([names, chip]) => {
              const figure = document.querySelector('#trade-off .js-plotly-plot');
              const keys = (figure?.data || []).flatMap(t => t.customdata || []);
              const there = start => keys.some(key => key.startsWith(start));
              return names.every(name => there(name + '@xne') && there(name + '@' + chip)) &&
                there('cnv-w1a1@' + chip) && there('cnv-w1a1@xne') && keys.some(key => key.includes('member=0:')); }""",
            arg=[names, chip],
        )
        settle(page)
        keys = page.evaluate(KEYS, "#trade-off")

        # a row of the user's own network opens it, with the accuracy that was given
        page.goto(f"{address}?tab=design&net={names[2]}&on={chip}")
        assert command(page, "small.onnx", "chip.yaml").startswith("costmodel profile --model")
        assert "61.5 %" in text(page, "#d-headline")
        page.click("#pin")
        page.wait_for_function("document.querySelector('#pinned-said').innerText.includes('1 of 4')")

        # another target is uploaded into the same session
        (tmp_path / "second.yaml").write_text(GOOD.replace("title:", "title: Second", 1))
        page.set_input_files("#upload input[type=file]", str(tmp_path / "second.yaml"))
        page.wait_for_function("document.querySelector('#upload-said').innerText.includes('is loaded')")
        settle(page)
        page.click("#pin")
        page.wait_for_function("document.querySelector('#pinned-said').innerText.includes('2 of 4')")
        page.click("#tab-compare")
        page.wait_for_selector("#c-bars .barlayer .point", state="attached")
        assert text(page, "#c-designs").count("small.onnx") == 2 and "61.5 %" in text(page, "#c-table")

        # and its own sweep, with a member that opens its design
        page.click("#tab-sweeps")
        page.wait_for_selector("#s-cloud .heatmaplayer .hm", state="attached")
        settle(page)
        page.locator("#s-members .ag-center-cols-container [row-index='0'] [col-id='network']").click()
        assert command(page, "cnv-w1a1", "pynq-z2")
        assert [key for key in keys if key.startswith(tuple(names))]
        watched.close()
