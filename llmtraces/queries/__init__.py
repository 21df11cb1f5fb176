"""Questions about traces, one module for each family. None writes."""
