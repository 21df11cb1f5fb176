"""The pages of the errors app."""
