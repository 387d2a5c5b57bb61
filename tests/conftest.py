"""Hypothesis profiles: the same draws on every run of the suite, fresh ones when hunting."""

import os

from hypothesis import settings

# No deadline: a first call makes plans, and a shared machine has pauses of its own.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.register_profile("long", deadline=None, max_examples=1000)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
