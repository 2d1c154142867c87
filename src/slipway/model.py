"""Parameters to unfitted scikit-learn estimators. Inputs are the float features of `features.matrix`."""

from typing import TYPE_CHECKING

from slipway.features import FEATURES
from slipway.params import Train

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def candidates(params: Train) -> dict[str, "Pipeline"]:
    """The estimators that compete, by name, simplest first: on a tie the first wins."""
    return {"logistic_regression": _logistic(params), "hist_gradient_boosting": _boosting(params)}


def _logistic(params: Train) -> "Pipeline":
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    categories = [position for position, feature in enumerate(FEATURES) if feature.choices]
    numbers = [position for position, feature in enumerate(FEATURES) if not feature.choices]
    vocabularies = [[float(code) for code in range(len(FEATURES[position].choices))] for position in categories]
    encode = ColumnTransformer(
        [
            (
                "categories",
                OneHotEncoder(categories=vocabularies, handle_unknown="ignore", sparse_output=False),
                categories,
            ),
            (
                "numbers",
                make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()),
                numbers,
            ),
        ]
    )
    settings = params.logistic_regression
    return make_pipeline(encode, LogisticRegression(C=settings.C, max_iter=settings.max_iter, random_state=params.seed))


def _boosting(params: Train) -> "Pipeline":
    """No scaler before trees: in float32 it moves values across split thresholds, and ONNX would disagree."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline

    settings = params.hist_gradient_boosting
    return make_pipeline(
        HistGradientBoostingClassifier(
            max_iter=settings.max_iter,
            learning_rate=settings.learning_rate,
            max_leaf_nodes=settings.max_leaf_nodes,
            min_samples_leaf=settings.min_samples_leaf,
            l2_regularization=settings.l2_regularization,
            early_stopping=False,
            random_state=params.seed,
        )
    )
