"""Tables of the paper, from the tidy metrics."""
