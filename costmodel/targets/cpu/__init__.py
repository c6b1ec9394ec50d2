"""A machine whose times were measured on it: the packed executor of this package, or PyTorch."""
