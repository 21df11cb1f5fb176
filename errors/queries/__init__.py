"""Questions about errors, one function each. Every one takes a Reach or an issue; none writes."""
