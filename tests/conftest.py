"""Hypothesis: no deadline (other work shares the cores), failures print their reproduction."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("secfpp", deadline=None, print_blob=True)
settings.load_profile("secfpp")
