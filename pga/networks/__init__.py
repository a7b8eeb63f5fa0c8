"""Encoders and decoders. `build` makes them from a row of the table of networks."""
