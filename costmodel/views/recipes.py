"""The table of ``costmodel train --recipes``."""

from __future__ import annotations

from costmodel.train.recipes import load_recipe, names
from costmodel.views.table import Column, Row, Table


def listing() -> Table:
    """One recipe per row: its name, the epochs of its phases, and what it is for."""
    rows = []
    for name in names():
        recipe = load_recipe(name)
        epochs = "+".join(str(phase.epochs) for phase in recipe.phases)
        rows.append(Row([name, epochs, " ".join(recipe.about.split())]))
    columns = [
        Column("recipe", "recipe", "left"), Column("epochs", "epochs"),
        Column("about", "what it is", "left", prose=True),
    ]  # fmt: skip
    return Table("recipes", "", columns, rows)
