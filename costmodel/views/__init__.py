"""What the faces show: tables, trees, numbers and statements, made from the nouns."""

#: How tables are written, and by which function of this package: of a table, its text. JSON holds what a table says.
FORMATS = {
    "table": "text:to_text",
    "json": "",
    "csv": "table:to_csv",
    "markdown": "table:to_markdown",
    "latex": "latex:to_latex",
}
