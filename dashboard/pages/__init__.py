"""The pages: each lays itself out from the state of the link and registers what happens when a control changes."""
