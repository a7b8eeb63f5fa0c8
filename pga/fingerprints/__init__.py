"""Digests of the code that each step of the workflow runs."""
