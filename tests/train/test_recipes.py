"""Recipes and plans that ship are complete, and a file of one's own is checked key by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.train import plans, recipes
from costmodel.train.networks import default_recipe, network_name
from costmodel.train.recipes import as_recipe, load_recipe, with_epochs
from costmodel.zoo import registry
from tests.train.conftest import RECIPE


@pytest.mark.parametrize("name", recipes.names())
def test_a_shipped_recipe_says_what_it_is_and_where_from(name: str) -> None:
    recipe = load_recipe(name)
    assert len(recipe.about) > 40 and len(recipe.source) > 8
    one_step = name in ("tfc", "sfc", "lfc", "cnv", "one-step")
    assert [p.weights for p in recipe.phases] == ["binary"] if one_step else recipe.phases[0].weights == "real"
    assert (recipe.clip is None) == (name.endswith("-bn") or name.startswith("bn") or name == "teacher" or one_step)
    assert f"`{name}`" in (Path(__file__).parents[2] / "docs" / "training.md").read_text()


def test_the_published_recipe_is_the_published_one() -> None:
    recipe = load_recipe("abbnn")
    assert recipe.batch == 256 and recipe.drop_last and recipe.precision == "fp32" and not recipe.compile
    assert recipe.clip == recipes.Clip(factor=0.001, eps=0.001, exclude=("fc",))
    first, second = recipe.phases
    assert (first.epochs, first.lr, first.weight_decay, first.schedule) == (256, 1e-3, 5e-6, "linear-by-epoch")
    assert (second.epochs, second.lr, second.weight_decay, second.schedule) == (256, 1e-3, 0.0, "linear-by-epoch")


@pytest.mark.parametrize(("fast", "plain"), [("fast", "abbnn"), ("fast-bn", "bn")])
def test_the_fast_recipe_differs_in_arithmetic_alone(fast: str, plain: str) -> None:
    one, two = load_recipe(fast), load_recipe(plain)
    same = ("batch", "drop_last", "augment", "loss", "clip", "ema", "network", "phases")
    assert all(getattr(one, name) == getattr(two, name) for name in same)
    assert one.precision == "bf16" and one.compile


@pytest.mark.parametrize("name", plans.names())
def test_every_run_of_a_plan_has_a_network_a_recipe_and_its_teacher_before_it(name: str) -> None:
    done: set[str] = set()
    for cell in plans.load_plan(name):
        network = network_name(cell.model, cell.data)
        recipe = load_recipe(cell.recipe or default_recipe(network, cell.data))
        entry = registry.entry(network)
        clipped = entry.family == "binary" and entry.normaliser != "batch norm"
        assert (recipe.clip is not None) == clipped, "clipping belongs to residual networks without normalisation"
        assert (recipe.loss.teacher > 0) == (cell.teacher is not None)
        assert cell.teacher is None or cell.teacher in done
        done.add(f"{network}-{cell.recipe}-s{cell.seed}")


def test_the_tables_have_twelve_cells_each_and_three_seeds_of_the_headline_ones() -> None:
    for dataset in ("cifar10", "cifar100"):
        cells = plans.load_plan(f"{dataset}-table")
        seeds: dict[str, set[int]] = {}
        for cell in cells:
            seeds.setdefault(network_name(cell.model, cell.data), set()).add(cell.seed)
        assert len(seeds) == 12 and all(registry.entry(name).published for name in seeds)
        assert {name for name, used in seeds.items() if len(used) == 3} == {n for n in seeds if n.startswith("abbnn")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch": 0}, "batch"),
        ({"precision": "fp8"}, "precision"),
        ({"loss": {"teacher": 2}}, "loss.teacher"),
        ({"phases": []}, "no phases"),
        ({"phases": [{"weights": "real", "epochs": 1, "lr": -1}]}, r"phases\[0\].lr"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_value_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(CostmodelError, match=f"is not a recipe.*{said}"):
        as_recipe({**RECIPE, **change}, "mine.yaml")


def test_epochs_can_be_given_for_all_phases_or_each() -> None:
    recipe = load_recipe("abbnn")
    assert [p.epochs for p in with_epochs(recipe, (5,)).phases] == [5, 5]
    assert [p.epochs for p in with_epochs(recipe, (5, 7)).phases] == [5, 7]
    with pytest.raises(CostmodelError, match="one per phase"):
        with_epochs(recipe, (0,))


def test_an_unknown_plan_is_named_and_a_wrong_one_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean cifar10-table"):
        plans.load_plan("cifar10-tabel")
    path = tmp_path / "mine.yaml"
    path.write_text("about: x\nruns: [{model: abbnn, data: digits, sed: 1}]")
    with pytest.raises(CostmodelError, match=r"is not a plan: .*sed"):
        plans.load_plan(str(path))


def test_the_words_of_a_recipe_do_not_change_a_job_and_its_numbers_do() -> None:
    from costmodel.train.job import Job

    def key(**change: Any) -> str:
        return Job("abbnn-reactnet6-digits", "digits", "mine", as_recipe({**RECIPE, **change}, "mine")).key

    assert key() == key(about="other words") != key(batch=17)
