"""What keeps the repository in order and is not installed."""
