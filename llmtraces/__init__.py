"""LLM traces, spans and their costs: taken in, priced, rolled up by the hour and shown in tabs."""
