"""Where an artifact comes from: what every artifact says of its runs, and the way from any file back to the sources."""
