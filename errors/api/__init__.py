"""The HTTP endpoints of the errors app."""
