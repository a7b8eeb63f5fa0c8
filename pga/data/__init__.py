"""From sources to one uint8 array per data set."""
