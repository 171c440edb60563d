"""Checks of what describes a logistic model: its coefficients, its classes and its labels, and sparse features."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _validate


def coefficients(coef: Any, intercept: Any, p: int) -> NDArray[np.float64]:
    """The coefficients of a binary model for p features, the intercept last; no intercept where it is None."""
    values = _validate.array("coef", coef)
    if values.shape not in ((p,), (1, p)):
        raise ValueError(
            f"coef: expected shape ({p},), (1, {p}) or (K, {p}) for X with {p} columns, got {values.shape}"
        )
    parts = [_validate.magnitudes("coef", _validate.vector("coef", values.reshape(-1)))]
    if intercept is not None:
        offset = _validate.array("intercept", intercept)
        if offset.shape not in ((), (1,)):
            raise ValueError(f"intercept: expected a number or shape (1,), got shape {offset.shape}")
        parts.append(_validate.magnitudes("intercept", _validate.vector("intercept", offset.reshape(1))))
    return np.concatenate(parts)


def two_classes(name: str, labels: Any, classes: Any = None) -> NDArray[Any]:
    """The two labels, negative then positive: as given, or the sorted labels of an array."""
    if classes is not None:
        known = label_array("classes", classes)
        if known.shape != (2,) or known[0] == known[1]:
            raise ValueError(f"classes: expected two different labels, got {known.tolist()}")
        return known
    known = distinct(name, labels)
    if len(known) == 1:
        raise ValueError(f"{name}: has one class only ({known.tolist()}); pass classes= to name both")
    if len(known) != 2:
        raise ValueError(f"{name}: expected two classes, got {len(known)}")
    return known


def distinct(name: str, labels: Any) -> NDArray[Any]:
    """The sorted labels of an array on the host or on a GPU; on the host, which waits for the GPU."""
    return _device.host(np.unique(label_array(name, labels, device=True)))


def label_array(name: str, labels: Any, *, device: bool = False) -> NDArray[Any]:
    """A vector of labels: integers, strings, booleans or finite floats."""
    values = _validate.array(name, labels, device=device)
    if values.ndim != 1:
        raise ValueError(f"{name}: expected 1 dimension, got shape {values.shape}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{name}: contains NaN or infinity")
    if values.dtype == object:
        if not all(isinstance(label, str) for label in values):
            raise TypeError(f"{name}: labels of dtype object must all be strings")
    elif values.dtype.kind not in "biufUS":
        raise TypeError(f"{name}: expected labels that are numbers or strings, got dtype {values.dtype}")
    elif values.dtype.kind == "U" and values.nbytes and _codes(values).max() > sys.maxunicode:
        raise ValueError(f"{name}: has strings with characters beyond Unicode")
    return values


def _codes(strings: NDArray[Any]) -> NDArray[np.uint32]:
    """The characters of strings as numbers: files may hold any."""
    native: NDArray[Any] = np.ascontiguousarray(strings).view(np.dtype(np.uint32).newbyteorder(strings.dtype.byteorder))
    return native


def binary_codes(name: str, labels: Any, classes: NDArray[Any], length: int, like: Any = None) -> NDArray[np.float64]:
    """0.0 for the first class, 1.0 for the second; every label must be one of them. On the GPU where `like` is."""
    values = label_array(name, labels, device=_device.is_device(like))
    if len(values) != length:
        raise ValueError(f"{name}: expected length {length}, got {len(values)}")
    positive = _are(values, classes[1])
    _no_strangers(name, values, positive | _are(values, classes[0]), classes)
    codes: NDArray[np.float64] = positive.astype(np.float64)
    return _device.beside(like, codes) if _device.is_device(like) else codes


def _are(values: NDArray[Any], label: Any) -> NDArray[np.bool_]:
    """Which labels are this one."""
    if _device.is_device(values):
        if label.dtype.kind not in "biuf":
            return np.zeros_like(values, dtype=bool)
        label = label.item()
        same: NDArray[np.bool_] = values == label
        return same
    return np.asarray(values == label)


def _no_strangers(name: str, values: NDArray[Any], known: NDArray[np.bool_], classes: NDArray[Any]) -> None:
    strangers = values[~known]
    if len(strangers):
        stranger = _device.host(strangers[:1])[0]
        raise ValueError(f"{name}: has labels that are not in classes {classes.tolist()}, such as {stranger!r}")


def class_coefficients(coef: Any, intercept: Any, p: int) -> NDArray[np.float64]:
    """The coefficients of a softmax model of K classes for p features: (K, p), or (K, p + 1) with the intercepts last.

    An intercept of 0.0 stands for K zeros; None for a model that has none.
    """
    values = _validate.array("coef", coef)
    if values.ndim != 2 or values.shape[1] != p or len(values) < 2:
        raise ValueError(f"coef: expected shape (K, {p}), a row for each class, got {values.shape}")
    values = _validate.magnitudes("coef", _validate.real_array("coef", values, ndim=2, finite=False)).astype(np.float64)
    if intercept is None:
        return values
    n_classes, offset = len(values), _validate.array("intercept", intercept)
    if offset.shape == () and offset == 0:
        offset = np.zeros(n_classes)
    if offset.shape != (n_classes,):
        raise ValueError(
            f"intercept: expected one number for each of the {n_classes} rows of coef, 0.0 or None, "
            f"got {_validate.describe(intercept) if offset.ndim == 0 else f'shape {offset.shape}'}"
        )
    magnitudes = _validate.magnitudes("intercept", _validate.vector("intercept", offset, finite=False))
    return np.column_stack([values, magnitudes])


def model_coefficients(coef: Any, intercept: Any, p: int, like: Any = None) -> NDArray[np.float64]:
    """One row for a binary model, K for a softmax one; the intercepts last, absent where they are None.

    On the host; taken from the GPU, which waits, only where `like` is on it.
    """
    if _device.is_device(like):
        coef, intercept = (_device.host(value) if _device.is_device(value) else value for value in (coef, intercept))
    shape = np.shape(_validate.array("coef", coef))
    if len(shape) == 2 and shape[0] > 1:
        return class_coefficients(coef, intercept, p)
    return coefficients(coef, intercept, p)[None]


def class_labels(name: str, labels: Any, n_classes: int, classes: Any = None) -> NDArray[Any]:
    """The labels of the rows of coef, in their order: as given, or the sorted labels of an array."""
    if classes is not None:
        known = label_array("classes", classes)
        if len(known) != n_classes or len(np.unique(known)) != n_classes:
            raise ValueError(f"classes: expected {n_classes} different labels, as coef has rows, got {known.tolist()}")
        return known
    known = distinct(name, labels)
    if len(known) != n_classes:
        raise ValueError(f"{name}: has {len(known)} classes, but coef has {n_classes} rows; pass classes= to name all")
    return known


def class_codes(name: str, labels: Any, classes: NDArray[Any], length: int, like: Any = None) -> NDArray[np.intp]:
    """The row of coef for every label; each must be one of the classes. On the GPU where `like` is."""
    values = label_array(name, labels, device=_device.is_device(like))
    if len(values) != length:
        raise ValueError(f"{name}: expected length {length}, got {len(values)}")
    codes: NDArray[np.intp] = _device.namespace(values).full(length, -1, dtype=np.intp)
    for code, label in enumerate(classes):
        codes[_are(values, label)] = code
    _no_strangers(name, values, codes >= 0, classes)
    return _device.beside(like, codes) if _device.is_device(like) else codes


def is_sparse(value: Any) -> bool:
    """Whether it is a scipy.sparse matrix or array, in any format."""
    return hasattr(type(value), "tocsr") and hasattr(type(value), "toarray")


def sparse_or_dense_design(name: str, value: Any, *, columns: int | None = None, device: bool = False) -> Any:
    """`design`, or a scipy.sparse CSR matrix of float32 or float64 whose structure and numbers are checked."""
    if not is_sparse(value):
        return _validate.design(name, value, columns=columns, device=device)
    if value.format != "csr":
        raise TypeError(f"{name}: expected a dense array or a CSR matrix, got {value.format}; convert it with .tocsr()")
    if value.ndim != 2 or value.shape[1] == 0:
        raise ValueError(f"{name}: expected 2 dimensions and at least one column, got shape {value.shape}")
    if columns is not None and value.shape[1] != columns:
        raise ValueError(f"{name}: expected {columns} columns, got shape {value.shape}")
    numbers_only = _validate.magnitudes(name, _validate.real_array(name, value.data, ndim=1, finite=False))
    try:
        checked = type(value)((numbers_only, value.indices, value.indptr), shape=value.shape)
        checked.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"{name}: is not a valid CSR matrix: {error}") from None
    return checked
