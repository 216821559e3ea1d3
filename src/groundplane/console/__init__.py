"""Serves the web console. Empty until part 5."""
