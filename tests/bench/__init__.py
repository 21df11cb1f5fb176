"""The bench: every figure beside its own yardstick, on the same machine in the same run. `python -m tests.bench`."""
