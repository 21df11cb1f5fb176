"""The JSON endpoints of Insights (contract 7)."""
