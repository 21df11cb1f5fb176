"""Alert rules, the channels they speak through, and the record of what was sent to whom."""
