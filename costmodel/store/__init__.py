"""Answers kept on disk, and the files that were read for them."""
