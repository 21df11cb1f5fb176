"""The writers of the errors app."""
