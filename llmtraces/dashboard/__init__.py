"""The pages of LLM tracing, one module for each tab."""
