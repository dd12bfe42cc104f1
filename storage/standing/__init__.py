"""Where a planned cell stands: what a store knows beside what is wanted."""
