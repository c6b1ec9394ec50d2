"""What a report says, as data: sections of headings, paragraphs, tables and figures. Nothing here draws or typesets."""
