"""scikit-learn: fitted estimators whose prediction is dense algebra.

`from_sklearn` (reading) walks an estimator: composition takes pipelines and column transformers apart; scalers,
projections, encoders, linear and networks write the layers of one step, and estimators lists which class is whose.
conversion is what they share, columns says which columns of the input go where, files reads what skops saved.
"""

from numbatch.convert.sklearn.reading import from_sklearn

__all__ = ["from_sklearn"]
