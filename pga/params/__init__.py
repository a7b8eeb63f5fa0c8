"""The typed parameters: one schema behind every file in `params/`."""
