"""Commands of LLM tracing."""
