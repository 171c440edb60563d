"""Logistic regression by Newton's method on native sums: exact, deterministic, and ready for influence.

The objective is sum_i w_i log_loss_i + l2/2 |coef|^2 with l2 = 1/C, the intercept not penalised: scikit-learn's. One
evaluation reads X once and gives the objective, its gradient and its Hessian (`_dispatch.LogisticSums`); everything
above that is the few lines of `_minimise`.
"""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from augcore import _dispatch, _files, _validate
from augcore._errors import FileFormatError

__all__ = ["HessianFactor", "LogisticRegression"]

Floats = NDArray[np.float64]

_DTYPES = [np.float64, np.float32]
_LEAST_C = 1e-300  # 1 / C must be finite
_ARMIJO = 1e-4
_MAX_HALVINGS = 40
_FILE_FORMAT = 1


@dataclass(frozen=True)
class HessianFactor:
    """The Cholesky factor of the Hessian of a fitted model.

    Attributes
    ----------
    lower : (q, q) ndarray of float64
        L with H = L L'. q is the number of features, plus one for the intercept, which comes last; of a multinomial
        model, that times `n_contrasts`, contrast after contrast (`augcore._multinomial`).
    fit_intercept : bool
        Whether the last row and column (of each contrast) belong to an intercept.
    n_contrasts : int, default=1
        1 for a binary model, the number of classes less one for a multinomial one.
    """

    lower: Floats
    fit_intercept: bool
    n_contrasts: int = 1

    def __post_init__(self) -> None:
        _check_square("lower", self.lower)
        diagonal = np.diag(self.lower)
        if not (diagonal > 0).all() or not _validate.all_finite(self.lower):
            raise ValueError("lower: expected a Cholesky factor: finite, with a positive diagonal")

    @classmethod
    def of(cls, hessian: Floats, fit_intercept: bool, n_contrasts: int = 1) -> HessianFactor:
        """Factor a symmetric positive definite matrix, which is overwritten.

        `numpy.linalg.LinAlgError` when it is singular to working precision.
        """
        _check_square("hessian", hessian)
        if not _validate.all_finite(hessian):
            raise ValueError("hessian: contains NaN or infinity")
        column = _dispatch.cholesky(hessian)
        if column >= 0:
            q = len(hessian) // n_contrasts
            which = "of the intercept" if fit_intercept and column % q == q - 1 else f"of feature {column % q}"
            raise np.linalg.LinAlgError(
                f"the Hessian is singular to working precision (found at the column {which}); "
                "raise l2 (a smaller C) or damping, or drop features that depend on others"
            )
        return cls(hessian, fit_intercept, n_contrasts)

    def solve(self, b: Floats) -> Floats:
        """H^-1 b for one vector."""
        x = _validate.vector("b", b, len(self.lower)).copy()
        _dispatch.cholesky_solve(self.lower, x)
        return x


def _check_square(name: str, matrix: Any) -> None:
    """The form in which the kernels take a matrix: (q, q), float64, C-contiguous, q at least 1."""
    if not isinstance(matrix, np.ndarray) or matrix.dtype != np.float64:
        raise TypeError(f"{name}: expected an array of float64, got {_validate.describe(matrix)}")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size or not matrix.flags.c_contiguous:
        raise ValueError(f"{name}: expected a square, C-contiguous matrix, got shape {matrix.shape}")


@dataclass
class _Objective:
    """The penalised objective of one data set; X, y and weight are in the form the kernels take."""

    X: NDArray[Any]
    y: Floats
    weight: Floats | None
    l2: float
    fit_intercept: bool
    threads: int

    def __post_init__(self) -> None:
        self.penalty = np.full(self.X.shape[1] + self.fit_intercept, self.l2)
        if self.fit_intercept:
            self.penalty[-1] = 0.0

    def value(self, coef: Floats) -> float:
        return self._sums(coef, order=0)[0]

    def expand(self, coef: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian."""
        value, gradient, hessian = self._sums(coef, order=2)
        gradient += self.penalty * coef
        hessian[np.diag_indices_from(hessian)] += self.penalty
        return value, gradient, hessian

    def _sums(self, coef: Floats, order: int) -> tuple[float, Floats, Floats]:
        sums = _dispatch.LogisticSums(self.X.shape[1], self.fit_intercept, order, coef)
        sums.add(self.X, self.y, self.weight, self.threads)
        loss, gradient, hessian = sums.total(self.threads)
        return loss + 0.5 * float(np.sum(self.penalty * coef * coef)), gradient, hessian


def _newton_direction(gradient: Floats, hessian: Floats) -> Floats:
    """-H^-1 g, with a ridge where H is singular to working precision (separable or dependent data)."""
    scale = float(np.max(np.diag(hessian), initial=0.0)) or 1.0
    ridge = 0.0
    while True:
        damped = hessian.copy()
        damped[np.diag_indices_from(damped)] += ridge
        if _dispatch.cholesky(damped) < 0:
            step = -gradient
            _dispatch.cholesky_solve(damped, step)
            return step
        ridge = max(10.0 * ridge, 1e-12 * scale)


def _minimise(objective: _Objective, coef: Floats, tol: float, max_iter: int) -> tuple[Floats, Floats, int, bool]:
    """Newton's method with a backtracking line search: coefficients, Hessian there, iterations, converged.

    A step that is accepted at full length costs one reading of X, because the candidate is expanded at once.
    """
    weight_sum = len(objective.y) if objective.weight is None else float(np.sum(objective.weight))
    value, gradient, hessian = objective.expand(coef)
    for iteration in range(max_iter + 1):
        if np.max(np.abs(gradient)) <= tol * weight_sum:
            return coef, hessian, iteration, True
        if iteration == max_iter:
            break
        step = _newton_direction(gradient, hessian)
        slope = float(gradient @ step)
        # Near the optimum the decrease drowns in the rounding of the sum; such a step is taken as it is.
        slack = 1e-14 * abs(value)
        candidate = coef + step
        new = objective.expand(candidate)
        length = 1.0
        if not new[0] <= value + _ARMIJO * slope + slack:
            for _ in range(_MAX_HALVINGS):
                length *= 0.5
                candidate = coef + length * step
                if objective.value(candidate) <= value + _ARMIJO * length * slope + slack:
                    break
            else:
                break
            new = objective.expand(candidate)
        coef = candidate
        value, gradient, hessian = new
    return coef, hessian, iteration, False


def _check_coefficients(coef: NDArray[Any], intercept: NDArray[Any]) -> None:
    """Those of a binary model: (1, p) and (1,), float64."""
    if coef.ndim != 2 or coef.shape[0] != 1 or coef.shape[1] == 0 or intercept.shape != (1,):
        raise ValueError(f"coef: expected shape (1, p) and one intercept, got {coef.shape} and {intercept.shape}")
    if not coef.dtype == intercept.dtype == np.float64:
        raise ValueError(f"coef: expected float64, got {coef.dtype} and {intercept.dtype}")
    _validate.magnitudes("coef", coef)
    _validate.magnitudes("intercept", intercept)


class LogisticRegression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Binary logistic regression with an L2 penalty, fitted by Newton's method.

    Minimises ``sum_i w_i log(1 + exp(-m_i)) + |coef|^2 / (2 C)`` over the coefficients and the intercept, where ``m_i``
    is the signed margin ``+-(x_i coef + intercept)``. The intercept is not penalised. The result does not depend on the
    number of threads.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the strength of the penalty, ``l2 = 1 / C``; positive, `numpy.inf` for no penalty.
    fit_intercept : bool, default=True
        Whether the model has an intercept.
    tol : float, default=1e-8
        The fit stops when the largest gradient component, divided by the sum of the weights, is not above it.
    max_iter : int, default=100
        Newton steps at most; a fit that needs more warns with `sklearn.exceptions.ConvergenceWarning`.
    warm_start : bool, default=False
        Start from the coefficients of the last fit.
    threads : int or None, default=None
        Threads of the kernels; None means the global setting.

    Attributes
    ----------
    coef_ : (1, p) ndarray of float64
    intercept_ : (1,) ndarray of float64
    classes_ : (2,) ndarray
        The labels, sorted; the second is the positive class.
    n_iter_ : (1,) ndarray of int
        Newton steps taken.
    factor_ : HessianFactor
        Of the Hessian of the objective at the fitted coefficients, as `augcore.influence` takes it. Computed when it is
        first asked for; `numpy.linalg.LinAlgError` if the Hessian is singular.
    n_features_in_ : int
    """

    coef_: Floats
    intercept_: Floats
    classes_: NDArray[Any]
    n_iter_: NDArray[np.int_]
    n_features_in_: int
    _hessian: Floats | None
    _factor: HessianFactor | None

    def __init__(
        self,
        C: float = 1.0,
        *,
        fit_intercept: bool = True,
        tol: float = 1e-8,
        max_iter: int = 100,
        warm_start: bool = False,
        threads: int | None = None,
    ) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.threads = threads

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    @property
    def l2(self) -> float:
        """The penalty's factor, 1 / C."""
        if isinstance(self.C, float | np.floating) and np.isposinf(self.C):
            return 0.0
        return 1.0 / _validate.real("C", self.C, low=_LEAST_C)

    def _check_parameters(self) -> tuple[float, bool, float, int, int]:
        """l2, fit_intercept, tol, max_iter and threads, checked."""
        return (
            self.l2,
            _validate.flag("fit_intercept", self.fit_intercept),
            _validate.real("tol", self.tol, low=0.0),
            _validate.integer("max_iter", self.max_iter, low=1),
            _validate.threads(self.threads),
        )

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> LogisticRegression:
        """Fit the model.

        Parameters
        ----------
        X : (n, p) array-like of float32 or float64
            Other real dtypes become float64.
        y : (n,) array-like
            Labels of any kind, two classes.
        sample_weight : (n,) array-like or None
            None negative; a weight of zero is the same as leaving the sample out.

        Raises
        ------
        ValueError
            If an argument has a wrong shape or value, NaN or infinity, or if there is one class only.
        """
        l2, fit_intercept, tol, max_iter, threads = self._check_parameters()
        X, y = validate_data(
            self, _validate.plain("X", X), _validate.plain("y", y, labels=True), dtype=_DTYPES, order="C"
        )
        _validate.magnitudes("X", X)
        check_classification_targets(y)
        weight = _validate.sample_weight("sample_weight", sample_weight, len(y))
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {type_of_target(y)}: "
                f"y has {len(classes)} classes."
            )
        if weight is not None and not weight.any():
            raise ValueError("sample_weight: all weights are zero")
        present = classes if weight is None else classes[np.unique(codes[weight > 0])]
        if len(present) < 2:
            raise ValueError(f"y: one class only ({present.tolist()}); a classifier can't train on one class")

        coef = np.zeros(X.shape[1] + fit_intercept)
        if self.warm_start and hasattr(self, "coef_") and self.coef_.shape == (1, X.shape[1]):
            coef[: X.shape[1]] = self.coef_[0]
            if fit_intercept:
                coef[-1] = self.intercept_[0]
        objective = _Objective(X, codes.astype(np.float64), weight, l2, fit_intercept, threads)
        coef, hessian, iterations, converged = _minimise(objective, coef, tol, max_iter)
        if not converged:
            warnings.warn(
                f"the fit has not reached tol={tol} after {iterations} steps; raise max_iter or tol, lower C, or "
                "scale the features",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.classes_ = classes
        self.coef_ = coef[None, : X.shape[1]].copy()
        self.intercept_ = coef[X.shape[1] :].copy() if fit_intercept else np.zeros(1)
        self.n_iter_ = np.array([iterations])
        self._hessian = hessian
        self._factor = None
        return self

    @property
    def factor_(self) -> HessianFactor:
        """The Cholesky factor of the objective's Hessian at the fitted coefficients."""
        check_is_fitted(self)
        if self._hessian is None:
            raise AttributeError("factor_: this model was loaded or converted, not fitted; it has no Hessian")
        if self._factor is None:
            self._factor = HessianFactor.of(self._hessian.copy(), bool(self.fit_intercept))
        return self._factor

    def decision_function(self, X: Any) -> Floats:
        """x coef + intercept for every row of X: (n,) float64, positive for the second class."""
        check_is_fitted(self)
        X = validate_data(self, _validate.plain("X", X), dtype=_DTYPES, order="C", reset=False)
        _validate.magnitudes("X", X)
        coef = np.concatenate([self.coef_[0], self.intercept_])
        return _dispatch.linear_predictor(X, True, coef, _validate.threads(self.threads))

    def predict(self, X: Any) -> NDArray[Any]:
        """The more probable class of every row of X: (n,)."""
        positive = self.decision_function(X) > 0
        labels: NDArray[Any] = self.classes_[positive.astype(np.intp)]
        return labels

    def predict_proba(self, X: Any) -> Floats:
        """Probabilities of the two classes: (n, 2) float64."""
        probabilities: Floats = np.exp(self.predict_log_proba(X))
        return probabilities

    def predict_log_proba(self, X: Any) -> Floats:
        """Logarithms of the probabilities of the two classes: (n, 2) float64, exact where they are tiny."""
        eta = self.decision_function(X)
        threads = _validate.threads(self.threads)
        losses = [_dispatch.log_loss(eta, np.full(len(eta), label), threads) for label in (0.0, 1.0)]
        return -np.column_stack(losses)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model to an .npz file without pickle; the file is whole at every instant.

        Raises
        ------
        TypeError
            If the labels are objects other than strings.
        OSError
            If the file cannot be written.
        """
        check_is_fitted(self)
        classes = self.classes_
        if classes.dtype == object:
            classes = classes.astype(str)
            if classes.tolist() != self.classes_.tolist():
                raise TypeError("classes_: labels that are objects can be saved only if they are plain strings")
        parameters = {name: getattr(value, "item", lambda v=value: v)() for name, value in self.get_params().items()}
        header = {"format": "augcore.LogisticRegression", "version": _FILE_FORMAT, "parameters": parameters}
        with _files.atomic_write(path) as file:
            np.savez(
                file,
                header=np.array(json.dumps(header)),
                coef=self.coef_,
                intercept=self.intercept_,
                classes=classes,
                n_iter=self.n_iter_,
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LogisticRegression:
        """Read a model that `save` wrote. It predicts, warm-starts and scores; it has no `factor_`.

        Raises
        ------
        augcore.FileFormatError
            If the file is damaged or not such a model.
        """
        arrays = _files.read_npz(path)
        try:
            header = json.loads(str(arrays["header"]))
            if header["format"] != "augcore.LogisticRegression" or header["version"] != _FILE_FORMAT:
                raise ValueError(f"expected format version {_FILE_FORMAT}")
            model = cls(**header["parameters"])
            model._check_parameters()
            coef, intercept, n_iter = arrays["coef"], arrays["intercept"], arrays["n_iter"]
            _check_coefficients(coef, intercept)
            classes = _validate.two_classes("classes", arrays["classes"])
            if not np.array_equal(classes, arrays["classes"]) or n_iter.shape != (1,) or n_iter.dtype.kind != "i":
                raise ValueError("classes or n_iter are not those of a fit")
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise FileFormatError(f"{os.fspath(path)}: not a saved LogisticRegression ({error})") from None
        return model._set_fitted(coef, intercept, classes, n_iter)

    @classmethod
    def from_estimator(cls, estimator: Any) -> LogisticRegression:
        """The same model as a fitted scikit-learn `LogisticRegression` (binary, L2 or no penalty).

        Raises
        ------
        ValueError
            If the estimator is not binary, or minimised something else than this class does.
        """
        from sklearn.linear_model import LogisticRegression as Theirs

        if not isinstance(estimator, Theirs) or not hasattr(estimator, "coef_"):
            raise ValueError(
                "estimator: expected a fitted sklearn.linear_model.LogisticRegression, "
                f"got {_validate.describe(estimator)}"
            )
        if len(estimator.classes_) != 2:
            raise ValueError(f"estimator: expected two classes, got {len(estimator.classes_)}")
        if estimator.solver == "liblinear" and estimator.fit_intercept:
            raise ValueError("estimator: solver='liblinear' penalises the intercept; this model does not")
        if estimator.penalty in ("l1", "elasticnet") or estimator.l1_ratio:
            raise ValueError("estimator: an L1 penalty has no Hessian; expected an L2 penalty or none")
        if estimator.class_weight is not None:
            raise ValueError("estimator: class_weight is not supported; pass sample_weight instead")
        model = cls(C=np.inf if estimator.penalty is None else estimator.C, fit_intercept=bool(estimator.fit_intercept))
        coef = estimator.coef_.toarray() if hasattr(estimator.coef_, "toarray") else np.array(estimator.coef_)
        intercept = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64), (1,)).copy()
        coef = np.asarray(coef, dtype=np.float64)
        _check_coefficients(coef, intercept)
        return model._set_fitted(coef, intercept, np.array(estimator.classes_), np.array([0]))

    def _set_fitted(
        self, coef: Floats, intercept: Floats, classes: NDArray[Any], n_iter: NDArray[Any]
    ) -> LogisticRegression:
        self.coef_, self.intercept_, self.classes_, self.n_iter_ = coef, intercept, classes, n_iter
        self.n_features_in_ = coef.shape[1]
        self._hessian = self._factor = None
        return self
