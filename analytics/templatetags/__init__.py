"""What templates of Insights draw with."""
