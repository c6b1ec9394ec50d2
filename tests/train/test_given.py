"""A user's accuracies: every line is a figure or an error that names it, and nothing is matched by chance."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.train.given import COLUMNS, read_accuracies
from costmodel.train.records import accuracies

NET = "def build(width=1, depth=2):\n    ...\n"
HEAD = "network,options,data,accuracy,kind,note\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_factory_of_an_importable_module_is_found_by_its_name(folder: Path) -> None:
    (figure,) = read_accuracies(written(folder, HEAD + "torchvision.models:resnet18,,imagenet,69.8,published,\n"))
    assert accuracies("torchvision.models:resnet18", given=[figure]) == [figure]


def test_every_cell_arrives(folder: Path) -> None:
    text = HEAD + 'net.py:build,width=0.5 depth=3,CIFAR-10,91.2,measured,"three seeds, mean"\n'
    (figure,) = read_accuracies(written(folder, text))
    assert (figure.width, figure.options, figure.data, figure.top1) == (0.5, {"depth": 3}, "cifar10", 91.2)
    assert figure.kind == "measured" and "three seeds, mean" in figure.conditions and figure.source == "mine.csv"
    assert accuracies(f"{folder}/net.py:build", 0.5, {"depth": 3}, [figure]) == [figure]


@pytest.mark.parametrize("options", ["width=0.5 depth=3", "width=0.5,depth=3", "width=0.5; depth=3",
                                     '{"width": 0.5, "depth": 3}'])  # fmt: skip
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spellings_of_the_same_file_say_the_same(folder: Path, options: str, delimiter: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([["Network", "options", "data set", "top1"],
                                                     ["net.py:build", options, "svhn", "70 %"], []])  # fmt: skip
    (figure,) = read_accuracies(written(folder, "\ufeff" + text.getvalue().replace(" %", "%")))
    assert (figure.width, figure.options, figure.data, figure.top1) == (0.5, {"depth": 3}, "svhn", 70.0)


def test_a_network_of_the_zoo_knows_its_data_set_and_its_other_names(folder: Path) -> None:
    (figure,) = read_accuracies(written(folder, "network,accuracy\nabbnn-cifar10,92\n"))
    assert figure.data == "cifar10" and figure.kind == "given"
    assert accuracies("abbnn-reactnet18-cifar10", given=[figure])[0] == figure
    assert figure not in accuracies("abbnn-reactnet18-cifar100", given=[figure])


def test_a_figure_holds_for_its_file_and_no_other(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    (other / "net.py").write_text(NET)
    (figure,) = read_accuracies(written(folder, HEAD + "net.py:build,,mnist,50,,\n"))
    assert accuracies(f"{folder}/net.py:build", given=[figure]) == [figure]
    assert accuracies(f"{other}/net.py:build", given=[figure]) == []
    (any_file,) = read_accuracies(written(folder, HEAD + "net:build,,mnist,50,,\n"))
    assert accuracies(f"{other}/net.py:build", given=[any_file]) == [any_file]
    assert accuracies(f"{other}/net.py:other", given=[any_file]) == []


WRONG = [
    ("", "empty"),
    ("network,acuracy\n", "Did you mean accuracy"),
    ("network,data\n", "no column accuracy"),
    ("network,accuracy,accuracy\n", "twice"),
    ("network,accuracy\nabbn,90\n", "line 2: unknown network 'abbn'"),
    ("network,accuracy\n,90\n", "no network"),
    ("network,accuracy\nnet.py:biuld,90\n", "Did you mean build"),
    ("network,accuracy\nmissing.py:build,90\n", "no file missing.py"),
    ("network,accuracy\nnet.py:build,90\n", "no data set"),
    ("network,accuracy\ntfc,ninety\n", "in percent"),
    ("network,accuracy\ntfc,0.93\n", "such as 93"),
    ("network,accuracy\ntfc,nan\n", "from 0 to 100"),
    ("network,accuracy\ntfc,101\n", "from 0 to 100"),
    ("network,accuracy\n\n\ntfc,1,2\n", "line 4: 3 cells"),
    ("network,accuracy,kind\ntfc,90,guessed\n", "Choose from measured"),
    ("network,accuracy,options\ntfc,90,width\n", "NAME=VALUE"),
    ("network,accuracy,options\ntfc,90,a=1 a=2\n", "given twice"),
    ('network,accuracy,options\ntfc,90,"{1"\n', "JSON"),
    ("network,accuracy\ntfc,90\nTFC-W1A1,91\n".replace("TFC-W1A1", "tfc-w1a1"), "line 3: tfc-w1a1 has 91 % here"),
    ('network,accuracy\n"tfc,90\n', "not a CSV"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_is_named_with_its_line(folder: Path, text: str, said: str) -> None:
    with pytest.raises(CostmodelError, match=r"mine\.csv") as error:
        read_accuracies(written(folder, text))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_other_bytes_than_text_are_an_error(folder: Path) -> None:
    (folder / "mine.csv").write_bytes(b"\xff\xfe\x00")
    for path in (folder / "mine.csv", folder, folder / "none.csv"):
        with pytest.raises(CostmodelError):
            read_accuracies(path)


def test_models_lists_them_next_to_those_of_the_zoo(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(folder, HEAD + "net.py:build,,svhn,90.5,,\ntfc,,,93.0,,here\n")
    assert main(["models", "tfc*", "--accuracies", str(path), "--format", "json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert [f["kind"] for f in figures][:1] == ["given"] and "tfc-w1a1" in {f["network"] for f in figures}
    assert main(["models", "--accuracies", str(path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["network"] == "net.py:build"


def test_the_documentation_names_every_column() -> None:
    from costmodel.train import given

    assert all(f"``{name}``" in str(given.__doc__) for name in COLUMNS)
