"""The JSON endpoints of LLM tracing (contract 8)."""
