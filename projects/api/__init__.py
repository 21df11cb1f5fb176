"""The JSON API of the app."""
