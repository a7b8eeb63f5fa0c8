"""How samples are compared with real images."""
