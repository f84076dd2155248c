"""What is told of a version that was loaded, or could not be."""

from typing import NamedTuple


class LoadReport(NamedTuple):
    """A version that was loaded, or failed to.

    Attributes
    ----------
    model : str
        Its name.
    version : int
        Its number.
    reason : str
        Why it could not be loaded, a `Reason`; "" if it was.
    seconds : float
        How long it took.
    """

    model: str
    version: int
    reason: str
    seconds: float
