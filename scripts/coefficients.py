"""The coefficients of the polynomials in `numbatch.kernels`: python scripts/coefficients.py.

T of log1p(f) = f + f^2 T(f) is a minimax polynomial, by the exchange algorithm of Remez; the coefficients are rounded
to float32 afterwards, which costs little, since all but the first are multiplied with a small number.

F of GELU's tail is a least-squares polynomial at Chebyshev nodes around a point c, each coefficient rounded to float32
before the next ones are fitted, so that they make up for its rounding. For the first two little can be made up: c is
the point in an interval where F(c) and F'(c) come closest to float32 numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

Function = Callable[[Any], Any]


def remez(f: Function, weight: Function, low: Any, high: Any, degree: int) -> list[Any]:
    """Return the polynomial of least weighted maximum error, lowest coefficient first."""
    nodes = degree + 2
    grid = [(low + high) / 2 - (high - low) / 2 * mpmath.cos(mp.pi * k / (60 * nodes)) for k in range(60 * nodes + 1)]
    points = grid[:: len(grid) // (nodes - 1)][: nodes - 1] + [grid[-1]]
    for _ in range(12):
        rows = [[x**j for j in range(degree + 1)] + [(-1) ** i / weight(x)] for i, x in enumerate(points)]
        *coefficients, level = mpmath.lu_solve(mp.matrix(rows), mp.matrix([f(x) for x in points]))
        errors = [weight(x) * (mpmath.polyval(coefficients[::-1], x) - f(x)) for x in grid]
        if max(map(abs, errors)) < abs(level) * mpf("1.001"):
            break
        points = [grid[i] for i in extrema(errors, nodes)]
    return coefficients


def extrema(errors: Sequence[Any], count: int) -> list[int]:
    """Return where alternating errors are largest, one place for each run of one sign."""
    runs: list[list[int]] = [[0]]
    for i in range(1, len(errors)):
        if (errors[i] > 0) == (errors[i - 1] > 0):
            runs[-1].append(i)
        else:
            runs.append([i])
    places = [max(run, key=lambda i: abs(errors[i])) for run in runs]
    while len(places) > count:
        places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
    return places


def log_terms() -> list[float]:
    """Return T, highest first: of degree 9, with the least relative error of log1p on [-1/4, 1/2]."""

    def t(f: Any) -> Any:
        return (mpmath.log1p(f) - f) / f**2 if f else mpf(-1) / 2

    def weight(f: Any) -> Any:
        return abs(f**2 / mpmath.log1p(f)) if f else mpf("1e-9")

    return [float(np.float32(float(c))) for c in remez(t, weight, mpf("-0.2500001"), mpf("0.5000001"), 9)[::-1]]


def tail(s: Any) -> Any:
    """Return F(s) = (a + 3) exp(a^2 / 2) P(X > a), s = a / (a + 3), for a standard normal X."""
    a = 3 * s / (1 - s)
    return (a + 3) * mpmath.exp(a * a / 2) * mpmath.erfc(a / mpmath.sqrt(2)) / 2


def tail_centre() -> float:
    """Return the multiple of 1/8192 in [0.42, 0.5) where F and F' are nearest to float32."""

    def distance(c: float) -> float:
        value, slope = (float(abs(y - float(np.float32(float(y))))) for y in (tail(mpf(c)), mpmath.diff(tail, mpf(c))))
        return max(2 * value, slope / 2)

    return min((k / 8192 for k in range(int(0.42 * 8192), 4096)), key=distance)


def tail_terms(centre: float, degree: int = 10) -> list[float]:
    """Return F around a point, highest first: with the least squared relative error for a from 0 to 14.5."""
    high = 14.5 / 17.5
    v = high / 2 * (1 + np.cos(np.pi * (np.arange(4000) + 0.5) / 4000)) - centre
    y = np.array([float(tail(mpf(float(s)))) for s in v + centre])
    terms: list[float] = []
    for first in range(degree + 1):
        rest = y - sum((term * v**k for k, term in enumerate(terms)), np.zeros_like(v))
        powers = v[:, None] ** np.arange(first, degree + 1)
        terms.append(float(np.float32(np.linalg.lstsq(powers / y[:, None], rest / y, rcond=None)[0][0])))
    return terms[::-1]


def main() -> None:
    """Print them all."""
    mp.prec = 160
    centre = tail_centre()
    for name, terms in [("LOG_TERMS", log_terms()), ("TAIL_CENTRE", [centre]), ("TAIL_TERMS", tail_terms(centre))]:
        print(name, "=", ", ".join(repr(term) if name == "TAIL_CENTRE" else str(np.float32(term)) for term in terms))


if __name__ == "__main__":
    main()
