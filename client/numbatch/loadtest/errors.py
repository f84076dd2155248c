"""What ends a load test without results."""


class WorkloadError(ValueError):
    """What was asked for cannot be run: the message says what is wrong with it."""


class GeneratorError(RuntimeError):
    """A generator process ended, or could not do its work."""
