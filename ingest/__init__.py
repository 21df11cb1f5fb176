"""The way in: keys, signatures, limits, and the buffer that keeps what was accepted. Knows bytes and kinds only."""
