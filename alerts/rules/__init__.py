"""Whether a rule fires: pure decisions on small frozen inputs, one module for each kind."""
