"""Errors: from a signed event to a grouped issue that somebody resolves."""
