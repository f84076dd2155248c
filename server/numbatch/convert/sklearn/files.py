"""Estimators in files: what skops saved is read; what was pickled is not, since reading it runs what it holds."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

# Of scikit-learn's own types, those that fitted estimators keep, skops does not trust, and loading runs nothing of.
_HARMLESS = (
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)


def load_estimator(path: Path) -> Any:
    """Return the estimator that a .skops file holds.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT, if there is no such file, or it is none of skops.
    UnsupportedError
        FEATURE_UNSUPPORTED, if it is of another kind, skops is not installed, or the file holds types that skops does
        not trust.
    """
    if path.suffix != ".skops":
        raise error(
            Reason.FEATURE_UNSUPPORTED,
            f"{path} is not read",
            got=path.suffix or "no ending",
            expected=".skops",
            hint="unpickling runs code that the file brings: load it yourself if you trust it, and pass the estimator",
        )
    try:
        from skops import io
    except ImportError as missing:
        hint = "pip install skops"
        raise error(Reason.FEATURE_UNSUPPORTED, f"{path} cannot be read without skops", hint=hint) from missing
    try:
        untrusted = [each for each in io.get_untrusted_types(file=path) if each not in _HARMLESS]
        if untrusted:
            raise error(
                Reason.FEATURE_UNSUPPORTED,
                f"{path} holds types that skops does not trust",
                got=", ".join(untrusted),
                hint="load it yourself if you trust them, and pass the estimator",
            )
        return io.load(path, trusted=list(_HARMLESS))
    except OSError as unreadable:
        got = unreadable.strerror or "an error"
        raise error(Reason.MODEL_CORRUPT, f"{path} cannot be read", got=got) from unreadable
    except (ValueError, KeyError, TypeError, AttributeError, ImportError, BadZipFile) as malformed:
        raise error(Reason.MODEL_CORRUPT, f"{path} holds no estimator: {malformed}") from malformed
