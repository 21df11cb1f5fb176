"""Questions about rules and what came of them. None writes."""
