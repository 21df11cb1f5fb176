"""What the accounts app does: each module owns its transactions and is the only writer of its tables."""
