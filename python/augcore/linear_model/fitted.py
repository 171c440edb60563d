"""What every fitted logistic model is and can do: its coefficients, predictions and Hessian factor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from augcore import _device, _dispatch, _multinomial, _validate
from augcore.linear_model.factor import HessianFactor
from augcore.linear_model.newton import Minimum
from augcore.linear_model.objective import DenseObjective, Objective

__all__ = ["FittedLogistic"]

Floats = NDArray[np.float64]

DTYPES = [np.float64, np.float32]

_PICKLED = 2_000  # parameters of which a factor is made to be pickled


class FittedLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The attributes and predictions of a logistic model, however it was fitted."""

    coef_: Floats
    intercept_: Floats
    classes_: NDArray[Any]
    n_iter_: NDArray[np.int_]
    n_features_in_: int
    threads: int | None
    _last: tuple[Objective, Minimum] | None
    _factor: HessianFactor | None
    _penalty: tuple[float, bool]  # l2 and whether there is an intercept, of the fit

    @property
    def l2(self) -> float:
        """The penalty's factor, 1 / C: of the last fit, else of the next."""
        return self._penalty[0] if hasattr(self, "_penalty") else self._next_l2()

    def _next_l2(self) -> float:
        raise AttributeError("l2: is chosen by fit")

    @property
    def factor_(self) -> HessianFactor:
        """The Cholesky factor of the objective's Hessian at the fitted coefficients."""
        check_is_fitted(self)
        if self._factor is None:
            if self._last is None:
                raise AttributeError("factor_: this model was loaded or converted, not fitted; it has no Hessian")
            objective, minimum = self._last
            hessian = objective.hessian(minimum.z)
            self._factor = HessianFactor.of(hessian, objective.fit_intercept, objective.n_contrasts, objective.threads)
            self._last = None
        return self._factor

    def _without_data(self) -> Self:
        """A copy with the coefficients alone, neither the data of the fit nor a factor."""
        alone = type(self).__new__(type(self))
        alone.__dict__.update(self.__dict__, _last=None, _factor=None)
        return alone

    def __getstate__(self) -> dict[str, Any]:
        """Without the data of the fit; with `factor_` where there is one, or data in memory to make a small one of."""
        last = getattr(self, "_last", None)
        if last is not None and isinstance(last[0], DenseObjective) and len(last[1].theta) <= _PICKLED:
            with contextlib.suppress(np.linalg.LinAlgError):
                _ = self.factor_
        state: dict[str, Any] = super().__getstate__()
        return state | ({"_last": None} if hasattr(self, "_last") else {})

    @contextlib.contextmanager
    def _unless_refused(self) -> Iterator[None]:
        """What scikit-learn's checks note of a new X is forgotten where the fit comes to nothing."""
        names = ("n_features_in_", "feature_names_in_")
        before = {name: self.__dict__[name] for name in names if name in self.__dict__}
        try:
            yield
        except BaseException:
            for name in names:
                self.__dict__.pop(name, None)
            self.__dict__.update(before)
            raise

    def decision_function(self, X: Any) -> Floats:
        """x coef + intercept for every row of X: (n,), positive for the second class, or (n, K); float64.

        On the GPU where X is, as are the results of all predictions.
        """
        check_is_fitted(self)
        if _device.is_device(X):
            X = _validate.design("X", X, device=True)
        else:
            X = validate_data(
                self, _validate.plain("X", X), dtype=DTYPES, order="C", reset=False, ensure_all_finite=False
            )
            _validate.magnitudes("X", X)
        if X.shape[1] != self.coef_.shape[1]:
            raise ValueError(f"X: has {X.shape[1]} features, but coef_ has {self.coef_.shape[1]}")
        threads = _validate.threads(self.threads)
        coef = np.hstack([self.coef_, self.intercept_[:, None]])
        return _dispatch.linear_predictor(X, True, coef[0] if len(coef) == 1 else coef, threads)

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of every row of X: (n,)."""
        scores = self.decision_function(X)
        codes = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        if _device.is_device(codes) and self.classes_.dtype.kind not in "biuf":
            raise TypeError("classes_: are not numbers, and a GPU has arrays of numbers only; take decision_function")
        labels: NDArray[Any] = _device.beside(codes, self.classes_)[codes]
        return labels

    def predict_proba(self, X: Any) -> Floats:
        """Probabilities of the classes: (n, K) float64."""
        with np.errstate(under="ignore"):
            probabilities: Floats = np.exp(self.predict_log_proba(X))
        return probabilities

    def predict_log_proba(self, X: Any) -> Floats:
        """Logarithms of the probabilities of the classes: (n, K) float64, exact where they are tiny."""
        scores = self.decision_function(X)
        if scores.ndim == 2:
            return _multinomial.log_probabilities(scores)
        threads = _validate.threads(self.threads)
        losses = [_dispatch.log_loss(scores, np.full_like(scores, label), threads) for label in (0.0, 1.0)]
        return -np.column_stack(losses)

    def _set_fitted(
        self,
        coef: Floats,
        intercept: Floats,
        classes: NDArray[Any],
        n_iter: NDArray[Any],
        l2: float,
        fit_intercept: bool,
    ) -> Self:
        self._penalty = l2, fit_intercept
        self.coef_, self.intercept_, self.classes_, self.n_iter_ = coef, intercept, classes, n_iter
        self.n_features_in_ = coef.shape[1]
        self._last = self._factor = None
        return self
