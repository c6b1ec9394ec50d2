"""``costmodel deploy``: what it prints, writes and refuses."""

import json
import re

import pytest

from costmodel.cli.main import main


def run(capsys, *arguments):
    status = main(["deploy", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_it_lists_rewrites_and_proves_them(capsys):
    status, out, _ = run(capsys, "abbnn-digits", "--strict")
    assert status == 0
    for text in ("mask layer and scale into threshold", "exact but for rounding in double precision", "same class"):
        assert text in out


def test_every_scale_option_with_its_price(capsys):
    status, out, _ = run(
        capsys, "abbnn-digits", "--scale", "all", "--target", "asic-45nm-horowitz", "--target", "pynq-z1",
        "--target", "raspberry-pi-4b", "--format", "json", "--images", "2",
    )  # fmt: skip
    assert status == 0
    text = json.dumps(json.loads(out))
    for word in ("exact", "pow2", "csd2", "csd3", "tied", "lut", "asic-45nm-horowitz", "pynq-z1", "raspberry-pi-4b"):
        assert word in text


def test_scales_of_single_layers_are_spelled_as_in_other_commands(capsys, tmp_path):
    path, option = tmp_path / "net.safetensors", "*=csd2,stages.1*=lut"
    line = ("abbnn-digits", "--checkpoint", "abbnn-digits", "--scale", option, "--target", "zcu102", "--images", "2")
    status, out, err = run(capsys, *line, "-o", str(path), "--format", "json")
    assert status == 0, err
    effect = next(t for t in _tables(out) if t and "left" in t[0])
    assert effect[0]["option"] == option
    prices = next(t for t in _tables(out) if t and "target" in t[0])
    assert [row["option"] for row in prices] == ["exact", option]
    assert prices[0]["lut"] != prices[1]["lut"]
    status, out, _ = run(capsys, str(path))
    assert status == 0 and option in out
    status, _, err = run(capsys, "abbnn-digits", "--scale", "nowhere=csd2")
    assert status == 2 and "unknown layer 'nowhere'" in err


def test_a_file_is_written_and_run(capsys, tmp_path):
    path = tmp_path / "net.safetensors"
    trained = ("--checkpoint", "abbnn-digits")
    assert run(capsys, "abbnn-digits", *trained, "-o", str(path), "--fraction-bits", "10", "--images", "1")[0] == 0
    status, out, _ = run(capsys, str(path), "--data", "digits", "--images", "50")
    assert status == 0 and "50 of digits" in out
    assert float(re.search(r"top-1 accuracy +([\d.]+) %", out)[1]) > 80
    status, out, err = run(capsys, str(path), "--scale", "pow2")
    assert status == 2 and "--scale does not act on a deployed file" in err


def test_random_weights_are_said_and_have_no_accuracy(capsys, tmp_path):
    path = tmp_path / "net.safetensors"
    status, out, _ = run(capsys, "abbnn-digits", "-o", str(path), "--data", "digits", "--images", "5")
    assert status == 0 and "The weights are random" in out and "top-1 %" not in out
    status, out, _ = run(capsys, str(path), "--data", "digits", "--images", "5")
    assert status == 0 and re.search(r"top-1 accuracy +none", out)
    status, out, _ = run(capsys, "abbnn-digits", "--checkpoint", "abbnn-digits", "--data", "digits", "--images", "5")
    assert status == 0 and "weights are random" not in out and "top-1 %" in out


def test_tied_networks_lose_every_multiplication(capsys):
    _, out, _ = run(capsys, "abbnn-digits", "--model-args", "scale=tied", "--scale", "tied", "--format", "json",
                    "--images", "1")  # fmt: skip
    effect = next(t for t in _tables(out) if t and "left" in t[0])
    assert effect[0]["left"] == 0 and effect[0]["option"] == "tied"


def test_the_report_says_what_remains_and_which_option_removes_it(capsys):
    _, out, _ = run(capsys, "abbnn-digits", "--scale", "all", "--images", "2")
    text = " ".join(out.split())
    assert "Strictly, 3,584 multiplications remain" in text
    assert "tied would remove them exactly, but not from these scales" in text
    assert "pow2, csd2, csd3 remove them by rounding" in text
    _, out, _ = run(capsys, "abbnn-digits", "--model-args", "scale=tied", "--scale", "all", "--images", "2")
    assert "tied removes them exactly" in out


def test_flips_are_shown_by_layer_for_every_option(capsys):
    _, out, _ = run(capsys, "abbnn-digits", "--scale", "all", "--images", "2", "--fraction-bits", "4",
                    "--format", "json")  # fmt: skip
    flips = next(t for t in _tables(out) if t and "decisions" in t[0])
    assert len(flips) == 4 and all(row["exact"] == row["lut"] == row["tied"] for row in flips)
    assert sum(row["pow2"] for row in flips) > sum(row["csd3"] for row in flips)


def test_a_network_with_two_inputs_is_proved_and_written(capsys, tmp_path):
    source, packed = tmp_path / "net.py", tmp_path / "net.safetensors"
    source.write_text("from tests.deploy.strangers import TwoInputs\n")
    arguments = (f"{source}:TwoInputs", "--input", "1x3x16x16", "--input", "1x5")
    status, out, _ = run(capsys, *arguments, "--strict", "-o", str(packed))
    assert status == 0 and "exact but for rounding" in out
    status, out, _ = run(capsys, str(packed))
    assert status == 0 and "1x3x16x16, 1x5" in out
    status, _, err = run(capsys, *arguments, "--data", "digits")
    assert status == 2 and "2 inputs" in err


def _tables(out):
    document = json.loads(out)
    return [v for v in (document.values() if isinstance(document, dict) else document) if isinstance(v, list)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-network"], "unknown network"),
        (["missing.safetensors"], "cannot read"),
        (["abbnn-digits", "--checkpoint", "missing.safetensors"], "no checkpoint"),
        (["abbnn-digits", "--data", "cifar10", "--data-dir", "/nowhere"], "cifar"),
        (["abbnn-digits", "--target", "no-such-target"], "unknown target"),
        (["abbnn-digits", "--scale", "all", "-o", "x.safetensors"], "choose one"),
    ],
)
def test_bad_input_is_said_with_status_two(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, *arguments)
    assert status == 2 and message in err and "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_exits_two(capsys, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00 not a network")
    status, _, err = run(capsys, str(path))
    assert status == 2 and "Traceback" not in err


def test_what_cannot_run_is_said_and_counted(capsys, tmp_path):
    path = tmp_path / "net.py"
    path.write_text("import torch\n\nclass Net(torch.nn.Bilinear):\n    def forward(self, x):\n"
                    "        return super().forward(x, x)\n\ndef build():\n    return Net(6, 6, 2)\n")  # fmt: skip
    status, out, _ = run(capsys, f"{path}:build", "--input", "1x6")
    assert status == 0 and "cannot be executed" in out
    assert run(capsys, f"{path}:build", "--input", "1x6", "--strict")[0] == 1


def test_a_qonnx_graph_is_written(capsys, tmp_path):
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "net.onnx"
    assert run(capsys, "abbnn-digits", "--qonnx", str(path), "--images", "1")[0] == 0
    assert {node.op_type for node in onnx.load(path).graph.node} >= {"Conv", "MultiThreshold", "PRelu"}


def test_without_numba_it_says_what_to_install(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['numba'] = None\n"
        "from costmodel.cli.main import main\n"
        "sys.exit(main(['deploy', 'abbnn-digits', '--images', '1']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and "costmodel[deploy]" in done.stderr and "Traceback" not in done.stderr
