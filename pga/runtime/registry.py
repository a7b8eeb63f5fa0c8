"""Tables of alternatives, of which the parameters choose one."""

from __future__ import annotations

from typing import TypeAlias

Registry: TypeAlias = dict
"""A dict literal whose rows are alternatives, looked up as `REGISTRY[key]`. A fingerprint of code (`pga.fingerprints.closure`) holds
just the rows that are chosen, so that a change of one model's row does not retrain the others."""
