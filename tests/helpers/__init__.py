"""Shared by the tests and by scripts/dev.py: import as `from helpers.control_plane import ...`."""
