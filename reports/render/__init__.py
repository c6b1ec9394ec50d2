"""The forms of a report: each module turns a :class:`Document` into the bytes of a file."""
