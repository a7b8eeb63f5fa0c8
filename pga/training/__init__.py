"""Training of a run: the step, the loop around it, the weights."""
