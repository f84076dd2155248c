"""What all tests share."""

from hypothesis import settings

# The same examples each time, and no verdict from a clock: a failure is the code's, never the machine's.
settings.register_profile("numbatch", derandomize=True, deadline=None, database=None)
settings.load_profile("numbatch")
