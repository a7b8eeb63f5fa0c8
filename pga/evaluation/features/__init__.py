"""Feature spaces in which samples are compared with real images."""
