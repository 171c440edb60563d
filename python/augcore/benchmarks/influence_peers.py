"""Who else gives the exact self-influence of a logistic model: the closed form, and libraries that take any model.

The task is that of `augcore.influence.loo_influence` without a penalty, the one that all of them define: the
coefficients are given, H is the Hessian of the summed loss at them, and -g' H^-1 g is wanted of every point.
Conversions and the making of H are part of what is timed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore import influence
from augcore.benchmarks.libraries import library

__all__ = [
    "CASES",
    "PEERS",
    "SCIPY",
    "Case",
    "Peer",
    "Task",
    "first",
    "numpy_closed_form",
    "own_call",
    "parse_case",
    "task",
]

Floats = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A number of points and of features."""

    n: int
    p: int
    dtype: str = "float64"

    @property
    def label(self) -> str:
        return f"{self.n:,} x {self.p} {self.dtype}"

    @property
    def operations(self) -> float:
        """Of the closed form: n p^2 each for H and for the triangular solve, p^3 / 3 for the factor."""
        return 2.0 * self.n * self.p**2 + self.p**3 / 3


CASES = (
    Case(1_000, 256),
    Case(5_000, 256),
    Case(50_000, 256),
    Case(50_000, 512),
    Case(1_000, 256, "float32"),
    Case(5_000, 256, "float32"),
    Case(50_000, 256, "float32"),
)


def parse_case(text: str) -> Case:
    """n x p and perhaps a dtype, such as 1000x256 or 1000x256:float32; ValueError for anything else."""
    match = re.fullmatch(r"(\d{1,8})x(\d{1,5})(?::(float32|float64))?", text)
    if match is None:
        raise ValueError(f"{text!r}: expected NxP or NxP:dtype, such as 1000x256:float32")
    n, p = int(match[1]), int(match[2])
    if p < 1 or n < 3 * p + 10:
        raise ValueError(f"{text!r}: expected at least one feature, and more than three points for each")
    return Case(n, p, match[3] or "float64")


@dataclass(frozen=True)
class Task:
    """One case, as a peer gets it: y is 0 or 1 in the dtype of X."""

    X: Floats
    y: Floats
    coef: NDArray[np.float64]
    intercept: float
    threads: int = 1

    def design(self) -> Floats:
        """X and a column of ones."""
        return np.column_stack([self.X, np.ones(len(self.X), self.X.dtype)])

    def parameters(self) -> Floats:
        """The coefficients and the intercept, in the dtype of X."""
        return np.append(self.coef, self.intercept).astype(self.X.dtype)


def task(case: Case, threads: int = 1) -> Task:
    """Normal features, noisy labels, and the coefficients that made them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(case.n, case.p))
    coef = rng.normal(size=case.p) / np.sqrt(case.p)
    y = X @ coef + 0.5 * rng.normal(size=case.n) > 0
    return Task(X.astype(case.dtype), y.astype(case.dtype), coef, 0.1, threads)


def first(whole: Task, n: int) -> Task:
    """The first n points."""
    return Task(whole.X[:n], whole.y[:n], whole.coef, whole.intercept, whole.threads)


def own_call(given: Task) -> NDArray[np.float64]:
    """The work, done by this library."""
    return influence.loo_influence(given.X, given.y, given.coef, given.intercept, threads=given.threads)


class Peer(NamedTuple):
    """A way to do it with a library; `closed_form` for what a user would write by hand."""

    name: str
    library: str
    run: Callable[[Task], Floats]
    closed_form: bool = False


# ---- closed form -----------------------------------------------------------------------------------------------------


def _parts(given: Task) -> tuple[Floats, Floats, Floats]:
    """Design, probabilities, and rows scaled by the root of the curvature."""
    design = given.design()
    probability = 1 / (1 + np.exp(-(design @ given.parameters())))
    return design, probability, design * np.sqrt(probability * (1 - probability))[:, np.newaxis]


def numpy_closed_form(given: Task) -> Floats:
    """As one would write it first."""
    design, probability, scaled = _parts(given)
    solved = np.linalg.solve(scaled.T @ scaled, design.T)
    result: Floats = -((probability - given.y) ** 2) * np.einsum("ij,ji->i", design, solved)
    return result


def _scipy_closed_form(given: Task) -> Floats:
    """syrk, Cholesky and trsm: no operation more than needed."""
    linalg = library("scipy.linalg")
    syrk, trsm = linalg.get_blas_funcs(("syrk", "trsm"), dtype=given.X.dtype)
    design, probability, scaled = _parts(given)
    hessian = syrk(1.0, scaled.T, lower=1)  # scaled.T is Fortran-ordered: no copy
    factor = linalg.cholesky(hessian, lower=True, overwrite_a=True, check_finite=False)
    solved = trsm(1.0, factor, design.T, lower=1)
    result: Floats = -((probability - given.y) ** 2) * np.einsum("ij,ij->j", solved, solved)
    return result


# ---- libraries -------------------------------------------------------------------------------------------------------


def _statsmodels(given: Task) -> Floats:
    """From the diagonal of the hat matrix of GLMInfluence, p (1 - p) x' H^-1 x."""
    api = library("statsmodels.api")
    results = library("statsmodels.genmod.generalized_linear_model").GLMResults
    parameters = given.parameters()
    model = api.GLM(given.y, given.design(), family=api.families.Binomial())
    covariance = np.linalg.inv(-model.hessian(parameters))
    leverage = results(model, parameters, covariance, 1.0).get_influence(observed=False).hat_matrix_diag
    probability = model.predict(parameters)
    result: Floats = -((probability - given.y) ** 2) * leverage / (probability * (1 - probability))
    return result


def _linear(given: Task) -> Any:
    """The model as torch has it."""
    torch = library("torch")
    model = torch.nn.Linear(given.X.shape[1], 1, dtype=getattr(torch, given.X.dtype.name))
    with torch.no_grad():
        model.weight[:] = torch.from_numpy(given.coef)
        model.bias[:] = given.intercept
    return model


def _data(given: Task) -> tuple[Any, Any, Any]:
    """Points and labels as torch has them, and a loader of at most 5,000 at a time."""
    torch = library("torch")
    X, y = torch.from_numpy(given.X), torch.from_numpy(given.y)[:, None]
    data = torch.utils.data.TensorDataset(X, y)
    return X, y, torch.utils.data.DataLoader(data, batch_size=min(len(X), 5_000))


def _captum(given: Task) -> Floats:
    """NaiveInfluenceFunction is exact if no eigenvalue is left out."""
    naive = library("captum.influence").NaiveInfluenceFunction
    loss = library("torch").nn.BCEWithLogitsLoss(reduction="sum")
    loader = _data(given)[2]
    function = naive(
        _linear(given),
        loader,
        "",
        lambda *_: 1.0,  # the model has its weights already
        loss_fn=loss,
        sample_wise_grads_per_batch=True,
        projection_dim=given.X.shape[1] + 1,
        hessian_reg=0.0,
        hessian_inverse_tol=0.0,
    )
    result: Floats = -function.self_influence(loader).numpy()
    return result


def _pydvl(given: Task) -> Floats:
    """DirectInfluence has the Hessian of the mean loss; the factors H^-1 g and the gradients are multiplied by row."""
    direct = library("pydvl.influence.torch").DirectInfluence
    loss = library("torch").nn.functional.binary_cross_entropy_with_logits
    X, y, loader = _data(given)
    function = direct(_linear(given), loss, regularization=0.0).fit(loader)
    factors = function.influence_factors(X, y)
    (block,) = function.block_mapper.composable_block_dict.values()
    gradients = block.gp.flat_grads(library("pydvl.influence.torch.base").TorchBatch(X, y))
    result: Floats = -(factors * gradients).sum(1).detach().numpy() / len(X)
    return result


def _torch_func(given: Task) -> Floats:
    """A gradient for each point by vmap, the Hessian of the sum by `hessian`, Cholesky."""
    torch = library("torch")
    softplus = torch.nn.functional.softplus
    X, y, _ = _data(given)
    parameters = torch.from_numpy(given.parameters())

    def loss(at: Any, x: Any, label: Any) -> Any:
        eta = x @ at[:-1] + at[-1]
        return softplus(eta) - label * eta

    def total(at: Any) -> Any:
        return loss(at, X, y[:, 0]).sum()

    gradients = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(parameters, X, y[:, 0])
    factor = torch.linalg.cholesky(torch.func.hessian(total)(parameters))
    solved = torch.linalg.solve_triangular(factor, gradients.T, upper=False)
    result: Floats = -(solved * solved).sum(0).numpy()
    return result


SCIPY = Peer("SciPy closed form", "scipy.linalg", _scipy_closed_form, closed_form=True)
PEERS = (
    Peer("NumPy closed form", "numpy", numpy_closed_form, closed_form=True),
    SCIPY,
    Peer("statsmodels", "statsmodels.api", _statsmodels),
    Peer("captum", "captum.influence", _captum),
    Peer("pyDVL", "pydvl.influence.torch", _pydvl),
    Peer("torch.func", "torch", _torch_func),
)
