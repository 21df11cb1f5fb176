"""The only writers of rules, firings, deliveries and cooldowns."""
