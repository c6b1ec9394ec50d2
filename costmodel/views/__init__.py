"""What the faces show: tables, trees, numbers and statements, made from the nouns."""
