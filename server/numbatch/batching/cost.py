"""How long a batch takes: learned from those that ran, foretold for those that wait."""

# Of what is known, each batch replaces so much: the last 30 or so decide.
_WEIGHT = 1 / 16


class Cost:
    """The line ``seconds = overhead + rows x per_row`` through the batches that ran, the latest ones counting most.

    It is a least-squares line, with weights that decay exponentially. Where all batches were of one size there is no
    slope to be seen; the line then goes through the origin, which foretells too much for larger batches, never too
    little.
    """

    __slots__ = ("_rows", "_rows_rows", "_rows_seconds", "_seconds", "batches")

    def __init__(self) -> None:
        self.batches = 0
        self._rows = self._seconds = self._rows_rows = self._rows_seconds = 0.0

    def learn(self, rows: int, seconds: float) -> None:
        """Take note of a batch."""
        self.batches += 1
        weight = max(_WEIGHT, 1 / self.batches)
        self._rows += weight * (rows - self._rows)
        self._seconds += weight * (seconds - self._seconds)
        self._rows_rows += weight * (rows * rows - self._rows_rows)
        self._rows_seconds += weight * (rows * seconds - self._rows_seconds)

    def of(self, rows: int, most: int) -> float:
        """Return the seconds that so many rows take in batches of at most `most`; 0 while nothing is known."""
        if not self.batches or not rows:
            return 0.0
        variance = self._rows_rows - self._rows * self._rows
        covariance = self._rows_seconds - self._rows * self._seconds
        overhead = 0.0
        per_row = self._seconds / self._rows
        if covariance > 0 and variance > 1e-6 * self._rows_rows:
            slope = covariance / variance
            if slope * self._rows < self._seconds:
                per_row, overhead = slope, self._seconds - slope * self._rows
        return -(-rows // most) * overhead + rows * per_row
