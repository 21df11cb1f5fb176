"""How a message looks and goes to each kind of channel."""
