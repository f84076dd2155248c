"""The table of estimators: what writes each, and why others are not served."""

from collections.abc import Callable, Mapping
from typing import Any

from numbatch.convert.sklearn import encoders, linear, networks, projections, scalers
from numbatch.convert.sklearn.conversion import Conversion, Value, refusal
from numbatch.convert.sklearn.outputs import Output
from numbatch.wire.errors import NumbatchError
from numbatch.wire.graph import Symbol

Transformer = Callable[[Conversion, Any, Value, str], Symbol]
Predictor = Callable[[Conversion, Any, Value, str], Output]

TRANSFORMERS: Mapping[str, Transformer] = {
    "IncrementalPCA": projections.pca,
    "MaxAbsScaler": scalers.largest,
    "MinMaxScaler": scalers.min_max,
    "OneHotEncoder": encoders.encode,
    "OrdinalEncoder": encoders.encode,
    "PCA": projections.pca,
    "RobustScaler": scalers.robust,
    "StandardScaler": scalers.standard,
    "TruncatedSVD": projections.truncated_svd,
    **dict.fromkeys(
        (
            "SelectFdr",
            "SelectFpr",
            "SelectFromModel",
            "SelectFwe",
            "SelectKBest",
            "SelectPercentile",
            "VarianceThreshold",
        ),
        projections.selection,
    ),
}

_REGRESSORS = """
    ARDRegression BayesianRidge ElasticNet ElasticNetCV GammaRegressor HuberRegressor Lars LarsCV Lasso LassoCV
    LassoLars LassoLarsCV LassoLarsIC LinearRegression LinearSVR MultiTaskElasticNet MultiTaskElasticNetCV
    MultiTaskLasso MultiTaskLassoCV OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV PassiveAggressiveRegressor
    PoissonRegressor QuantileRegressor Ridge RidgeCV SGDRegressor TheilSenRegressor
"""
_CLASSIFIERS = "LinearSVC PassiveAggressiveClassifier Perceptron RidgeClassifier RidgeClassifierCV"

PREDICTORS: Mapping[str, Predictor] = {
    **dict.fromkeys(_REGRESSORS.split(), linear.regressor),
    **dict.fromkeys(_CLASSIFIERS.split(), linear.classifier),
    "LinearDiscriminantAnalysis": linear.discriminant,
    "LogisticRegression": linear.logistic,
    "LogisticRegressionCV": linear.logistic,
    "MLPClassifier": networks.classifier,
    "MLPRegressor": networks.regressor,
    "SGDClassifier": linear.stochastic,
}

_HINTS = {
    "FunctionTransformer": "apply the function before the model is called",
    "KBinsDiscretizer": "find the bins before the model is called, and encode their numbers",
    "Normalizer": "norms of rows are no layer: normalise before the model is called",
    "PolynomialFeatures": "compute the products before the model is called, and pass them as features",
    "SimpleImputer": "fill in what is missing before the model is called",
    "TransformedTargetRegressor": "convert its regressor_, and transform what it predicts after the call",
}


def is_known(step: Any, table: Mapping[str, Any]) -> bool:
    """Return whether a table has scikit-learn's own class of this step; a class derived from it may do anything."""
    return type(step).__module__.split(".")[0] == "sklearn" and type(step).__name__ in table


def unsupported(step: Any, name: str) -> NumbatchError:
    """Return the error for a step that no table has."""
    kind = type(step)
    if kind.__module__.split(".")[0] != "sklearn":
        got = f"{kind.__module__}.{kind.__qualname__}"
        hint = "convert the parts that are scikit-learn's own"
        return refusal(name, "a class that is not scikit-learn's", got=got, hint=hint)
    hint = _HINTS.get(kind.__name__, "do this step before or after the model is called")
    return refusal(name, "it is not dense algebra", got=kind.__name__, hint=hint)
