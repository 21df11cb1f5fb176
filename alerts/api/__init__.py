"""The JSON endpoints of alerts (contract 6)."""
