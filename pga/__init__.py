"""Perceptual Generative Autoencoders (Zhang et al., ICML 2020): the method as a library, the paper as a pipeline."""

__version__ = "0.1.0"
