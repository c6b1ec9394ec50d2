"""What the faces show: tables, trees, numbers and statements, made from the nouns."""

#: How tables are written.
FORMATS = ("table", "json", "csv", "markdown", "latex")
