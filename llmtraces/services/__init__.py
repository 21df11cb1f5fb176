"""The only writers of traces, their rollups and settings."""
