"""Template tags of the errors app."""
