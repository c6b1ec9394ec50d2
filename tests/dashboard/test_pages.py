"""Every callback, asked as a browser asks it."""

import base64
import json

import pytest

from costmodel.dashboard.app import LOCAL, MAX_REQUEST, make_app, stylesheet
from costmodel.dashboard.items import id_of
from costmodel.dashboard.results import DATA
from tests.dashboard.client import HOST, text_of
from tests.near import near

DESIGN = {"tabs.value": "design"}


def points(figure):
    return [t for t in figure["data"] if t.get("mode") == "markers"]


def words(figure):
    return " ".join(a["text"].replace("<br>", " ") for a in figure["layout"].get("annotations", []))


def test_the_first_page_shows_designs_a_front_and_the_best(client):
    answer = client.ask("trade-off.figure")
    figure = answer["trade-off"]["figure"]
    assert sum(len(t["x"]) for t in points(figure)) > 100
    assert any(t.get("mode") == "lines" and len(t["x"]) > 1 for t in figure["data"])
    assert "CIFAR-10: best compromise" in answer["summary"]["children"]
    assert "knee" in text_of(answer["answer"]["children"])
    assert all(
        row["state"] == "front" and row["certainty"] for row in client.ask("designs.rowData")["designs"]["rowData"]
    )


def test_ids_of_points_reach_the_browser_as_text(client):
    for trace in points(client.ask("trade-off.figure")["trade-off"]["figure"]):
        assert isinstance(trace["customdata"], list) and all("@" in i for i in trace["customdata"])


def test_measured_and_published_are_told_apart(client):
    for evidence, suffix in (("published", True), ("measured", False)):
        figure = client.ask("trade-off.figure", {"evidence.value": evidence})["trade-off"]["figure"]
        assert {t["marker"]["symbol"].endswith("-open") for t in points(figure)} == {suffix}


@pytest.mark.parametrize(
    ("control", "value", "attribute"),
    [
        ("kind", ["fpga"], None),
        ("target", ["pynq-z2"], "target"),
        ("normaliser", ["abbnn"], None),
        ("bits", ["W32A32"], None),
    ],
)
def test_filters_leave_less_and_only_what_they_say(client, control, value, attribute):
    base = sum(len(t["x"]) for t in points(client.ask("trade-off.figure")["trade-off"]["figure"]))
    answer = client.ask("trade-off.figure", {f"{control}.value": value})
    kept = [id_of(i) for t in points(answer["trade-off"]["figure"]) for i in t["customdata"]]
    assert 0 <= len(kept) < base
    if attribute:
        assert {i.rpartition("@")[2] for i in kept} == set(value)


def test_constraints_cross_out_what_fails(client):
    values = {"x.value": "lut", "kind.value": ["fpga"], "constraints.value": "LUT <= 53200 and FPS >= 30"}
    answer = client.ask("trade-off.figure", values)
    figure = answer["trade-off"]["figure"]
    failing = [t for t in points(figure) if t["marker"]["symbol"].startswith("x")]
    passing = [t for t in points(figure) if not t["marker"]["symbol"].startswith("x")]
    assert failing and passing
    assert all(x <= 53200 for t in passing for x in t["x"])
    assert "LUTs ≤ 53.2 k and Images per second ≥ 30" in answer["constraints-said"]["children"]
    assert "fail a constraint" in answer["summary"]["children"]


def test_bad_constraints_and_empty_selections_are_said_on_the_page(client):
    answer = client.ask("trade-off.figure", {"constraints.value": "beauty >= 3"})
    assert "unknown metric" in words(answer["trade-off"]["figure"])
    empty = client.ask("trade-off.figure", {"dataset.value": "cifar10", "x.value": "lut", "kind.value": ["arm"]})
    assert "No design to show" in words(empty["trade-off"]["figure"])
    assert "LUTs are not known" in text_of(empty["hidden"]["children"])


def test_brushing_lists_what_was_brushed(client):
    some = points(client.ask("trade-off.figure")["trade-off"]["figure"])[0]["customdata"][:3]
    answer = client.ask("designs.rowData", {"x-selected.data": some}, changed="x-selected.data")
    assert {row["key"] for row in answer["designs"]["rowData"]} == set(some)


def test_what_was_brushed_and_then_filtered_away_is_no_selection(client):
    values = {"x-selected.data": ["abbnn-reactnet18-cifar10@asic-45nm-nangate#1"], "kind.value": ["fpga"]}
    answer = client.ask("designs.rowData", values)
    assert "on the front" in answer["selection-said"]["children"] and answer["designs"]["rowData"]


def test_clicking_a_row_opens_its_design(client):
    listed = client.ask("designs.rowData")["designs"]["rowData"]
    values = {"designs.cellClicked": {"rowId": "1"}, "designs.rowData": listed}
    answer = client.ask("d-network.value", values, changed="designs.cellClicked")
    assert f"{answer['d-network']['value']}@{answer['d-target']['value']}" == listed[1]["id"]


def test_clicking_a_point_opens_its_design(client):
    clicked = {"points": [{"customdata": "cnv-w1a1@pynq-z2"}]}
    answer = client.ask("d-network.value", {"trade-off.clickData": clicked}, changed="trade-off.clickData")
    assert (answer["d-network"]["value"], answer["d-target"]["value"]) == ("cnv-w1a1", "pynq-z2")
    assert answer["tabs"]["value"] == "design"
    assert answer["trade-off"]["clickData"] is None  # so that a second click on the same point is one, too
    bad = {"points": [{"customdata": "../../etc/passwd@pynq-z2"}]}
    assert client.ask("d-network.value", {"trade-off.clickData": bad}, changed="trade-off.clickData") in (None, {})


@pytest.mark.parametrize("target", ["asic-7nm-asap7", "pynq-z2", "raspberry-pi-4b", "ice40-up5k", "xnorbin"])
def test_a_design_shows_totals_layers_constants_and_its_command(client, target):
    answer = client.ask("d-layers.figure", {**DESIGN, "d-target.value": target})
    assert answer["d-error"]["children"] == ""
    assert answer["d-layers"]["figure"]["data"] and answer["d-split"]["figure"]["data"]
    assert "Constants behind" in text_of(answer["d-constants"]["children"])
    assert f"--target {target}" in answer["d-command"]["children"]
    for option in answer["d-metric"]["data"]:
        again = client.ask("d-layers.figure", {**DESIGN, "d-target.value": target, "d-metric.value": option["value"]})
        assert again["d-metric"]["value"] == option["value"]


def test_what_if_changes_the_price_and_the_command(client):
    base = client.ask("d-layers.figure", DESIGN)
    other = client.ask("d-layers.figure", {**DESIGN, "settings.data": ["clock=250000000"]})
    assert "clock=250000000" in other["d-command"]["children"]
    assert text_of(other["d-headline"]["children"]) != text_of(base["d-headline"]["children"])
    wrong = client.ask("d-layers.figure", {**DESIGN, "settings.data": ["clock=1e12"]})
    assert "clock" in wrong["d-error"]["children"] and "at most" in wrong["d-error"]["children"]


def test_a_scale_option_changes_the_operations_that_are_shown_and_their_price(client):
    def names(answer):
        return {trace["name"] for trace in answer["d-layers"]["figure"]["data"]}

    network = {**DESIGN, "d-network.value": "abbnn-reactnet18"}
    exact = client.ask("d-layers.figure", network)
    table = client.ask("d-layers.figure", {**network, "settings.data": ["scale=lut"]})
    assert names(table) - names(exact) == {"lut"}
    assert text_of(table["d-headline"]["children"]) != text_of(exact["d-headline"]["children"])
    assert "--set scale=lut" in table["d-command"]["children"]
    written = client.ask("d-layers.figure", {**network, "settings.data": ["scale=lut"], "d-level.value": "as_written"})
    assert written["d-error"]["children"] == "" and "scale" not in written["d-command"]["children"]


def test_conventions_reconcile_and_rewrites_say_what_they_saved(client):
    strict = client.ask("d-counted.children", {**DESIGN, "d-convention.value": "strict"})
    paper = client.ask("d-counted.children", {**DESIGN, "d-convention.value": "paper-abbnn"})
    assert "2,323,456" in text_of(strict["d-counted"]["children"])
    assert "Strictly, 2,323,456" in text_of(paper["d-counted"]["children"])
    assert "as deployed" in text_of(strict["d-rewrites"]["children"])


def test_a_layer_is_shown_with_its_numbers(client):
    bar = client.ask("d-layers.figure", {**DESIGN, "d-by.value": "layer"})["d-layers"]["figure"]["data"][0][
        "customdata"
    ][0]
    assert bar[0] == "stem.conv"
    clicked = {"points": [{"customdata": bar}]}
    number = client.ask("d-layer.value", {"d-layers.clickData": clicked}, changed="d-layers.clickData")["d-layer"][
        "value"
    ]
    text = text_of(client.ask("d-layer-detail.children", {"d-layer.value": number})["d-layer-detail"]["children"])
    assert "stem.conv" in text and "1,769,472" in text


def test_four_designs_can_be_pinned_and_not_five(client):
    pins = []
    for target in ("asic-45nm-nangate", "asic-7nm-asap7", "pynq-z2", "raspberry-pi-4b"):
        pins = client.ask("pins.data", {"d-target.value": target, "pins.data": pins, "pin.n_clicks": 1})["pins"]["data"]
    assert len(pins) == 4
    fifth = client.ask("pins.data", {"d-target.value": "xnorbin", "pins.data": pins, "pin.n_clicks": 1})
    assert "Four designs are pinned" in fifth["pinned-said"]["children"] and "pins" not in fifth


def test_a_design_is_unpinned_by_what_it_is_and_not_by_where_it_stood(client):
    """The second of two quick clicks comes from a page that still shows the design that the first one removed."""
    shown = ["a@x", "b@x", "c@x"]
    buttons = [({"type": "unpin", "design": pin}, None) for pin in shown]
    buttons[1] = (buttons[1][0], 1)
    gone = '{"design":"b@x","type":"unpin"}.n_clicks'
    answer = client.ask("pins.data", {"pins.data": ["b@x", "c@x"]}, changed=gone, wild=buttons)
    assert answer["pins"]["data"] == ["c@x"]


def test_the_layer_that_is_shown_is_let_go_of_where_its_number_means_another(client):
    for control in ("d-network.value", "d-level.value"):
        assert client.ask("d-layer.value", DESIGN, changed=control)["d-layer"]["value"] is None


def test_compare_says_with_what_probability_one_is_cheaper(client):
    pins = ["abbnn-reactnet18-cifar10@asic-45nm-nangate", "bn-reactnet18-cifar10@asic-45nm-nangate", "no@thing"]
    answer = client.ask("c-bars.figure", {"tabs.value": "compare", "pins.data": pins})
    assert "%" in text_of(answer["c-odds"]["children"])
    assert "unknown" in text_of(answer["c-designs"]["children"])
    empty = client.ask("c-bars.figure", {"tabs.value": "compare", "pins.data": []})
    assert "Nothing is pinned" in words(empty["c-bars"]["figure"])


def test_designs_are_compared_on_a_logarithmic_axis_by_marks(client):
    """A bar begins at zero, which a logarithmic axis has not."""
    pins = ["abbnn-reactnet18-cifar10@asic-45nm-nangate", "bn-reactnet18-cifar10@asic-7nm-asap7"]
    values = {"tabs.value": "compare", "pins.data": pins}
    [bars] = client.ask("c-bars.figure", values)["c-bars"]["figure"]["data"]
    figure = client.ask("c-bars.figure", {**values, "c-scale.value": "log"})["c-bars"]["figure"]
    [marks] = figure["data"]
    assert (bars["type"], marks["type"], figure["layout"]["xaxis"]["type"]) == ("bar", "scatter", "log")
    assert marks["x"] == bars["x"] and marks["y"] == ["A", "B"]
    assert marks["customdata"][0] == "A  abbnn-reactnet18-cifar10 on asic-45nm-nangate"


def sweep_values(**more):
    return {"tabs.value": "sweeps", "sweep.value": ["0"], "s-x.value": "lut", "s-y.value": "seconds_per_image",
            "s-x-scale.value": "log", "s-y-scale.value": "log", **more}  # fmt: skip


def test_a_sweep_shows_its_density_and_its_front(client):
    answer = client.ask("s-cloud.figure", sweep_values(), changed="s-x.value")
    _, heat, front = answer["s-cloud"]["figure"]["data"]
    assert heat["type"] == "heatmap" and "5,000 designs, 5,000 in this window" in answer["s-summary"]["children"]
    ys = [y for _, y in sorted(zip(front["x"], front["y"], strict=True))]
    assert ys == sorted(ys, reverse=True)


def test_zooming_counts_anew(client):
    window = "lut|seconds_per_image|log|log|3.9,4.1,-3.1,-2.9"
    answer = client.ask("s-cloud.figure", sweep_values(**{"s-window.data": window}), changed="s-window.data")
    inside = int(answer["s-summary"]["children"].split(", ")[1].split()[0].replace(",", ""))
    assert 0 < inside < 1000
    assert answer["s-cloud"]["figure"]["layout"]["xaxis"]["range"] == [3.9, 4.1]
    other = sweep_values(**{"s-window.data": window, "s-x.value": "bram18"})  # a window of other axes is none of these
    assert "5,000 in this window" in client.ask("s-cloud.figure", other, changed="s-x.value")["s-summary"]["children"]


def test_a_figure_that_was_resized_is_not_drawn_again(client):
    """The browser gives up an answer that is under way for a later one, and that one would hold no figure."""
    drawing = {c["output"]: [i["id"] + "." + i["property"] for i in c["inputs"]] for c in client.callbacks}
    assert all(
        not set(inputs) & {"s-cloud.relayoutData", "s-cloud.selectedData", "trade-off.selectedData"}
        for output, inputs in drawing.items()
        if output.startswith(("..s-cloud.figure", "..trade-off.figure"))
    )


def test_a_box_selects_designs_of_the_cloud_and_members_of_the_front(client, sweep_folder):
    import pyarrow.parquet as pq

    points = pq.read_table(sweep_folder / "parts", columns=["lut", "seconds_per_image"]).to_pandas()
    inside = points[points["lut"].between(1e4, 3e4) & points["seconds_per_image"].between(1e-4, 1e-3)]
    assert 200 < len(inside) <= 2000
    values = sweep_values(**{"s-box.data": "lut|seconds_per_image|log|log|10000,30000,0.0001,0.001"})
    answer = client.ask("s-brushed.children", values, changed="s-box.data")
    patched = {op["location"][-1]: op["params"]["value"] for op in answer["s-cloud"]["figure"]["operations"]}
    assert sorted(patched["x"]) == near(sorted(inside["lut"]), rel=1e-5)
    rows = answer["s-members"]["rowData"]
    said = f"{len(inside):,} designs, and {len(rows)} members of fronts are selected."
    assert answer["s-brushed"]["children"] == said
    other = {**values, "s-x.value": "bram18"}
    everything = client.ask("s-brushed.children", other, changed="s-x.value")
    assert len(everything["s-members"]["rowData"]) > len(rows)  # a box of other axes selects nothing here
    drawn = client.ask("s-cloud.figure", values, changed="s-x.value")["s-cloud"]["figure"]  # as a link opens it
    assert sorted(drawn["data"][0]["x"]) == sorted(patched["x"]) and drawn["layout"]["selections"][0]["x1"] == 3e4


def test_the_front_of_a_sweep_is_that_of_all_its_designs(sweep_folder):
    import numpy as np

    from costmodel.dashboard.sweeps import Sweep
    from costmodel.explore.pareto import nondominated

    sweep = Sweep(sweep_folder)
    points = np.column_stack([sweep.column("lut", False, "bram18"), sweep.column("bram18", False, "lut")])
    expected = points[nondominated(points)]
    assert sweep.front("lut", "bram18") == near(expected[np.argsort(expected[:, 0])], rel=1e-6)


def test_members_of_the_front_carry_their_command(client):
    rows = client.ask("s-members.rowData", sweep_values())["s-members"]["rowData"]
    assert rows and all(r["command"].startswith("costmodel fold") for r in rows)


def test_missing_and_broken_folders_are_said_on_the_page(tmp_path):
    from tests.dashboard.client import Client

    broken = tmp_path / "broken"
    (broken / "parts").mkdir(parents=True)
    (broken / "parts" / "part-0.parquet").write_bytes(b"PAR1 not really")
    empty = tmp_path / "empty"
    empty.mkdir()
    asked = Client(make_app(sweep_folders=[tmp_path / "missing", broken, empty]))
    for number, said in (("0", "no folder"), ("1", "can be read"), ("2", "no finished parts")):
        answer = asked.ask("s-cloud.figure", sweep_values(**{"sweep.value": [number]}), changed="s-x.value")
        assert said in words(answer["s-cloud"]["figure"])


@pytest.mark.parametrize("form", ["csv", "parquet", "pdf", "svg", "png"])
def test_the_selection_can_be_carried_away(client, form):
    import csv
    import io

    answer = client.ask("got.data", {f"get-{form}.n_clicks": 1}, changed=f"get-{form}.n_clicks")["got"]["data"]
    raw = base64.b64decode(answer["content"]) if answer["base64"] else answer["content"].encode()
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(raw.decode())))
        assert rows and {"network", "target", "energy_J", "energy_J_low", "accuracy_from"} <= set(rows[0])
    if form == "parquet":
        import pyarrow.parquet as pq

        assert pq.read_table(io.BytesIO(raw)).num_rows == len(client.ask("designs.rowData")["designs"]["rowData"])
    start = {"pdf": b"%PDF", "png": b"\x89PNG", "svg": b"<?xml", "parquet": b"PAR1", "csv": b"network"}[form]
    assert raw.startswith(start)


def test_a_link_restores_the_page(client):
    search = "?tab=design&net=cnv-w1a1&on=pynq-z2&set=clock=200000000.0&x=lut&kind=fpga&theme=dark&where=LUT<=100"
    page = json.dumps(client.ask("root.children", {"url.search": search})["root"]["children"])
    for piece in (
        '"value": "cnv-w1a1"',
        '"value": "pynq-z2"',
        '"value": "lut"',
        '"value": ["fpga"]',
        '"value": "dark"',
        '"value": "200"',
    ):
        assert piece in page, piece
    lost = text_of(client.ask("root.children", {"url.search": "?net=/etc/passwd"})["root"]["children"])
    assert "asks for “/etc/passwd”, which is not here" in lost


def test_only_known_names_are_served(client):
    assert client.http.get("/", headers={"Host": "evil.example"}).status_code == 403
    for host in LOCAL:
        assert client.http.get("/", headers={"Host": f"{host}:8050"}).status_code == 200


def test_nothing_is_loaded_from_elsewhere(client):
    response = client.http.get("/", headers=HOST)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "http" not in policy
    assert "https://" not in response.get_data(as_text=True)


def test_large_requests_are_refused(client):
    body = b"x" * (MAX_REQUEST + 1)
    response = client.http.post("/_dash-update-component", data=body, content_type="application/json", headers=HOST)
    assert response.status_code in (400, 413, 500) and response.status_code != 200


def test_no_figure_can_be_sent_anywhere():
    from costmodel.dashboard.figures import CONFIG

    assert CONFIG["showSendToCloud"] is False and CONFIG["plotlyServerURL"] == ""


def test_colours_on_the_page_are_those_of_the_palette():
    path = DATA.parent / "assets" / "colours.css"
    assert path.read_text().partition("\n")[2] == stylesheet()
