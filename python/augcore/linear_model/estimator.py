"""LogisticRegression: the scikit-learn face of `newton.minimise`, with files and conversions."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from augcore import _device, _files, _multinomial, _validate, _validate_models
from augcore._errors import FileFormatError
from augcore._samples import Samples
from augcore.linear_model.fitted import DTYPES, FittedLogistic
from augcore.linear_model.newton import DENSE_LIMIT, minimise
from augcore.linear_model.objective import DenseObjective, Objective, objective_of, split_parameters
from augcore.linear_model.streamed import NewtonObjective, StreamedObjective

__all__ = ["LogisticRegression"]

Floats = NDArray[np.float64]

_LEAST_C = 1e-300  # 1 / C must be finite
_FILE_FORMAT = 1


def _check_coefficients(coef: NDArray[Any], intercept: NDArray[Any]) -> None:
    """Those of a model: (1, p) and (1,), or (K, p) and (K,) for K > 2; float64."""
    if coef.ndim != 2 or coef.shape[0] in (0, 2) or coef.shape[1] == 0 or intercept.shape != coef.shape[:1]:
        raise ValueError(
            f"coef: expected shape (1, p) and one intercept, or (K, p) and K of them, "
            f"got {coef.shape} and {intercept.shape}"
        )
    if not coef.dtype == intercept.dtype == np.float64:
        raise ValueError(f"coef: expected float64, got {coef.dtype} and {intercept.dtype}")
    _validate.magnitudes("coef", coef)
    _validate.magnitudes("intercept", intercept)


def _need_no_conversion(X: Any, y: Any) -> bool:
    """Whether scikit-learn would hand both on as they are; asking it takes as long as a few steps of a fit."""
    return (
        type(X) is type(y) is np.ndarray
        and X.ndim == 2
        and X.size > 0
        and X.dtype in DTYPES
        and X.flags.c_contiguous
        and y.shape == X.shape[:1]
        and (y.dtype.kind in "biu" or (y.dtype.kind == "f" and _validate.all_finite(y)))
    )


_FEW_CLASSES = 1000  # more are refused where most have one sample: such values are measurements, not labels


def _are_numbers_of_classes(classes: NDArray[Any]) -> bool:
    """Whether labels are whole numbers, which cannot be the values of a regression."""
    return classes.dtype.kind in "biu" or (classes.dtype.kind == "f" and bool((classes == np.trunc(classes)).all()))


def _check_classes(classes: NDArray[Any], members: NDArray[np.integer[Any]], fit_intercept: bool) -> None:
    """members: how many samples with a weight each class has."""
    present, n = classes[members > 0], int(members.sum())
    if len(present) > max(_FEW_CLASSES, n // 2):
        raise ValueError(f"y: has {len(present)} different values for {n} samples; expected the labels of classes")
    if len(present) < 2:
        raise ValueError(f"y: one class only ({present.tolist()}); a classifier can't train on one class")
    if len(present) < len(classes) and fit_intercept:
        raise ValueError("sample_weight: all weights of a class are zero, so its intercept has no finite estimate")


class LogisticRegression(FittedLogistic):
    """Logistic regression with an L2 penalty, binary or multinomial (softmax), fitted by Newton's method.

    Minimises ``-sum_i w_i log p_i + |coef|^2 / (2 C)`` over the coefficients and the intercepts, where ``p_i`` is the
    probability of point i's own label. The intercepts are not penalised. The result does not depend on the number of
    threads. The gradients are exact; Hessians are computed and factored where that is cheaper than the steps it saves,
    and beyond 20,000 parameters the steps are solved by conjugate gradients. Where two classes and many features of
    float64 are fitted, all steps but the last read a copy of them in float32, which the fit keeps until it ends.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the strength of the penalty, ``l2 = 1 / C``; positive, `numpy.inf` for no penalty.
    fit_intercept : bool, default=True
        Whether the model has an intercept.
    tol : float, default=1e-8
        The fit stops when the largest gradient component, divided by the sum of the weights, is not above it.
    max_iter : int, default=100
        Newton steps at most, each of which stands for ten of the cheaper quasi-Newton steps that large problems take; a
        fit that needs more warns with `sklearn.exceptions.ConvergenceWarning`.
    warm_start : bool, default=False
        Start from the coefficients of the last fit and, where it has as many parameters, from its last factor.
    threads : int or None, default=None
        Threads of the kernels; None means the global setting.

    Attributes
    ----------
    coef_ : (1, p) or (K, p) ndarray of float64
        One row for two classes, else a row for each class, which sum to zero.
    intercept_ : (1,) or (K,) ndarray of float64
    classes_ : (K,) ndarray
        The labels, sorted; the second of two is the positive class.
    n_iter_ : (1,) ndarray of int
        Steps taken.
    factor_ : HessianFactor
        Of the Hessian of the objective at the fitted coefficients, as `augcore.influence` takes it; on the GPU where
        the X of the fit is. Computed from that X when it is first asked for, so it must not be changed until then;
        `numpy.linalg.LinAlgError` if the Hessian is singular.
    n_features_in_ : int
    """

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

    def _next_l2(self) -> float:
        if isinstance(self.C, float | np.floating) and np.isposinf(self.C):
            return 0.0
        return 1.0 / _validate.real("C", self.C, low=_LEAST_C)

    def _check_parameters(self) -> tuple[float, bool, float, int, int]:
        """l2, fit_intercept, tol, max_iter and threads, checked."""
        return (
            self._next_l2(),
            _validate.flag("fit_intercept", self.fit_intercept),
            _validate.real("tol", self.tol, low=0.0),
            _validate.integer("max_iter", self.max_iter, low=1),
            _validate.threads(self.threads),
        )

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : (n, p) array-like of float32 or float64
            Other real dtypes become float64. A CuPy array is fitted on its GPU.
        y : (n,) array-like
            Labels of any kind, two classes or more; with X on a GPU, `y` and `sample_weight` may be there too.
        sample_weight : (n,) array-like or None
            None negative; a weight of zero is the same as leaving the sample out.

        Raises
        ------
        ValueError
            If an argument has a wrong shape or value, NaN or infinity; if there is one class only, or there are more
            than 1,000 and more than half as many as samples.
        """
        l2, fit_intercept, tol, max_iter, threads = self._check_parameters()
        warm = _validate.flag("warm_start", self.warm_start)
        with self._unless_refused():
            X, classes, codes, weight = self._check_data(X, y, sample_weight)
        objective = objective_of(X, codes, len(classes), weight, l2, fit_intercept, threads)
        start, lower = self._start(objective) if warm else (None, None)
        return self._minimise(objective, classes, tol, max_iter, start, lower)

    def _fit_samples(self, samples: Samples, *, few_passes: bool = False, may_round: bool = True) -> Self:
        """`fit` of samples that are read block by block, from the start; few_passes: by Newton's steps alone.

        FloatingPointError if their X is rounded, unless it may not be, and does not fit float32.
        """
        l2, fit_intercept, tol, max_iter, threads = self._check_parameters()
        seen = samples.survey()
        if seen.weight_sum == 0:
            raise ValueError("sample_weight: all weights are zero")
        if seen.classes.dtype.kind in "fS" and not _are_numbers_of_classes(seen.classes):
            check_classification_targets(seen.classes)
        _check_classes(seen.classes, seen.members, fit_intercept)
        n_parameters = (len(seen.classes) - 1) * (samples.p + fit_intercept)
        few_passes = few_passes and n_parameters <= DENSE_LIMIT and not samples.on_gpu
        kind = NewtonObjective if few_passes else StreamedObjective
        objective = kind(samples, seen, l2, fit_intercept, threads, may_round)
        return self._minimise(objective, seen.classes, tol, max_iter)

    def _minimise(
        self,
        objective: Objective,
        classes: NDArray[Any],
        tol: float,
        max_iter: int,
        start: Floats | None = None,
        lower: Floats | None = None,
    ) -> Self:
        if start is None:
            start = np.zeros(objective.n_parameters)
        minimum = minimise(objective, start, tol, max_iter, lower)
        if not minimum.converged:
            warnings.warn(
                f"the fit has not reached tol={tol} after {minimum.iterations} steps; raise max_iter or tol, lower C, "
                "or scale the features",
                ConvergenceWarning,
                stacklevel=3,
            )
        coef, intercept = split_parameters(minimum.theta, len(classes), objective.fit_intercept)
        iterations = np.array([minimum.iterations])
        self._set_fitted(coef, intercept, classes, iterations, objective.l2, objective.fit_intercept)
        self._last = objective, minimum
        return self

    def _check_data(
        self, X: Any, y: Any, sample_weight: ArrayLike | None
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.intp], Floats | None]:
        """X, the classes, their codes and the weights."""
        if _device.is_device(X):
            return self._check_device_data(X, y, sample_weight)
        X, y = validate_data(
            self,
            _validate.plain("X", X),
            _validate.plain("y", y, labels=True),
            skip_check_array=_need_no_conversion(X, y),
            dtype=DTYPES,
            order="C",
            ensure_all_finite=False,  # the next line sees to it
        )
        _validate.magnitudes("X", X)
        return self._check_labels(X, y, sample_weight)

    def _check_labels(
        self, X: NDArray[Any], y: NDArray[Any], sample_weight: Any
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.intp], Floats | None]:
        classes, codes = np.unique(y, return_inverse=True)
        classes = _device.host(classes)
        if not _are_numbers_of_classes(classes) or 2 * len(classes) > len(y):
            check_classification_targets(_device.host(y))
        weight = _validate.sample_weight("sample_weight", sample_weight, len(y), X)
        if weight is not None and not weight.any():
            raise ValueError("sample_weight: all weights are zero")
        codes = _device.beside(X, codes)
        counted = codes if weight is None else codes[weight > 0]
        _check_classes(classes, _device.host(np.bincount(counted, minlength=len(classes))), self.fit_intercept)
        return X, classes, codes, weight

    def _check_device_data(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.intp], Floats | None]:
        """What scikit-learn's checks do for arrays on the host."""
        X = _validate.design("X", X, device=True)
        labels = _validate_models.label_array("y", y, device=True)
        if len(X) != len(labels):
            raise ValueError(f"y: expected length {len(X)}, as X has rows, got {len(labels)}")
        if not len(X):
            raise ValueError("X: has no samples")
        self.__dict__.pop("feature_names_in_", None)
        return self._check_labels(X, labels, sample_weight)

    def _start(self, objective: DenseObjective) -> tuple[Floats | None, Floats | None]:
        """The parameters of the last fit, and its last factor, where they have the shapes of this one."""
        if not hasattr(self, "coef_"):
            return None, None
        p = objective.width - objective.fit_intercept
        rows = objective.n_contrasts + 1 if objective.n_contrasts > 1 else 1
        if self.coef_.shape != (rows, p):
            return None, None
        columns = [self.coef_, self.intercept_[:, None]] if objective.fit_intercept else [self.coef_]
        start = np.hstack(columns)
        if rows > 1:
            start = _multinomial.contrasts(rows) @ start
        lower = self._last[1].lower if self._last is not None else None
        if lower is None and self._factor is not None:
            lower = self._factor.lower
        if lower is None or len(lower) != start.size:
            return start.ravel(), None
        return start.ravel(), _device.beside(objective.X, lower)

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
            classes = np.unique(_validate_models.label_array("classes", arrays["classes"]))
            if not np.array_equal(classes, arrays["classes"]) or len(classes) != max(2, len(coef)):
                raise ValueError("classes are not those of coef, sorted")
            if n_iter.shape != (1,) or n_iter.dtype.kind != "i":
                raise ValueError("n_iter is not that of a fit")
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise FileFormatError(f"{os.fspath(path)}: not a saved LogisticRegression ({error})") from None
        return model._set_fitted(coef, intercept, classes, n_iter, model._next_l2(), model.fit_intercept)

    @classmethod
    def from_estimator(cls, estimator: Any) -> LogisticRegression:
        """The same model as a fitted scikit-learn `LogisticRegression` (L2 or no penalty).

        Raises
        ------
        ValueError
            If the estimator minimised something else than this class does.
        """
        from sklearn.linear_model import LogisticRegression as Theirs

        if not isinstance(estimator, Theirs) or not hasattr(estimator, "coef_"):
            raise ValueError(
                "estimator: expected a fitted sklearn.linear_model.LogisticRegression, "
                f"got {_validate.describe(estimator)}"
            )
        liblinear = estimator.solver == "liblinear"
        if liblinear and estimator.fit_intercept:
            raise ValueError("estimator: solver='liblinear' penalises the intercept; this model does not")
        several = len(estimator.classes_) > 2
        if several and (liblinear or getattr(estimator, "multi_class", None) == "ovr"):
            raise ValueError("estimator: has one model for each class against the rest; expected a softmax model")
        penalty = getattr(estimator, "penalty", "l2")
        # Of a model whose C was chosen by cross-validation, what was chosen.
        shares: Any = getattr(estimator, "l1_ratio_", getattr(estimator, "l1_ratio", None))
        if penalty in ("l1", "elasticnet") or any(np.atleast_1d(shares)):
            raise ValueError("estimator: an L1 penalty has no Hessian; expected an L2 penalty or none")
        if estimator.class_weight is not None:
            raise ValueError("estimator: class_weight is not supported; pass sample_weight instead")
        strengths = np.unique(estimator.C_ if hasattr(estimator, "C_") else estimator.C)
        if len(strengths) > 1:
            raise ValueError(f"estimator: has a C for each class, {strengths.tolist()}; expected one")
        C = np.inf if penalty is None else float(strengths[0])
        model = cls(C=C, fit_intercept=bool(estimator.fit_intercept))
        coef = estimator.coef_.toarray() if hasattr(estimator.coef_, "toarray") else np.array(estimator.coef_)
        intercept = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64), len(coef)).copy()
        coef = np.asarray(coef, dtype=np.float64)
        _check_coefficients(coef, intercept)
        classes = np.array(estimator.classes_)
        return model._set_fitted(coef, intercept, classes, np.array([0]), model._next_l2(), model.fit_intercept)
