"""Questions over what was counted: spikes, movers, correlations and the effect of a release."""
