"""Makes the tables of alo.md, between its markers: python docs/make_alo_table.py

Every score is compared with exact refits: for each point the model is fitted again without it, to a gradient of 1e-10,
and the rise of the point's own loss is what a score should tell. Seconds for two classes, minutes for ten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import log_softmax
from scipy.stats import pearsonr, spearmanr
from sklearn.datasets import load_breast_cancer, load_digits

from augcore import influence

PAGE = Path(__file__).resolve().parent / "alo.md"
TOLERANCE = 1e-10
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
PAPER = {"hessian_l2": 0.0, "damping": 2e-10}


@dataclass(frozen=True)
class Data:
    """X, labels 0 to K - 1, and the C at which it is fitted."""

    name: str
    X: np.ndarray
    y: np.ndarray
    strengths: tuple[float, ...] = STRENGTHS

    @property
    def n_classes(self) -> int:
        return int(self.y.max()) + 1


def digits(classes: tuple[int, ...], n: int) -> tuple[np.ndarray, np.ndarray]:
    """The first n of these classes in the order of the file, pixels divided by 16."""
    X, y = load_digits(return_X_y=True)
    chosen = np.flatnonzero(np.isin(y, classes))[:n]
    return X[chosen] / 16, np.searchsorted(classes, y[chosen])


def breast_cancer() -> tuple[np.ndarray, np.ndarray]:
    """All points; each feature has mean 0 and standard deviation 1."""
    X, y = load_breast_cancer(return_X_y=True)
    return (X - X.mean(0)) / X.std(0), y


def all_data() -> list[Data]:
    return [
        Data("digits 3 vs 8", *digits((3, 8), 357)),
        Data("breast cancer", *breast_cancer()),
        Data("10-class digits", *digits(tuple(range(10)), 300), strengths=(0.1, 1.0, 10.0)),
    ]


# ---- exact refits ----------------------------------------------------------------------------------------------------


class Model:
    """Logistic regression of K classes, whose scores are `basis` times K - 1 columns of parameters.

    A binary model has the scores (0, theta). Those of a multinomial one sum to zero, as the penalty makes them anyway:
    an orthonormal basis of such scores leaves the penalty as it is and the Hessian regular.
    """

    def __init__(self, data: Data, C: float) -> None:
        self.X = np.column_stack([data.X, np.ones(len(data.X))])
        self.onehot = np.eye(data.n_classes)[data.y]
        K = data.n_classes
        self.basis = np.array([[0.0], [1.0]]) if K == 2 else np.linalg.svd(np.eye(K) - 1 / K)[0][:, : K - 1]
        self.penalty = np.tile(np.append(np.full(data.X.shape[1], 1 / C), 0.0), K - 1)
        self.C = C

    def losses(self, theta: np.ndarray) -> np.ndarray:
        return -(log_softmax(self.X @ self.columns(theta), axis=1) * self.onehot).sum(1)

    def columns(self, theta: np.ndarray) -> np.ndarray:
        """(p + 1, K): coefficients and intercept of every class."""
        return theta.reshape(self.basis.shape[1], -1).T @ self.basis.T

    def fit(self, weight: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Newton's method with step halving, to max|gradient| of 1e-10."""
        for _ in range(100):
            probability = np.exp(log_softmax(self.X @ self.columns(theta), axis=1))
            gradient = ((probability - self.onehot) * weight[:, None] @ self.basis).T @ self.X
            slope = gradient.ravel() + self.penalty * theta
            if np.max(np.abs(slope)) <= TOLERANCE:
                return theta
            step = -np.linalg.solve(self._hessian(probability, weight), slope)
            value, length = self._value(theta, weight), 1.0
            while self._value(theta + length * step, weight) > value + 1e-12 * abs(value) and length > 1e-6:
                length /= 2
            theta = theta + length * step
        raise RuntimeError(f"no convergence: {np.max(np.abs(slope)):.1e}")

    def _value(self, theta: np.ndarray, weight: np.ndarray) -> float:
        return float(weight @ self.losses(theta) + 0.5 * np.sum(self.penalty * theta**2))

    def _hessian(self, probability: np.ndarray, weight: np.ndarray) -> np.ndarray:
        p, k = self.X.shape[1], self.basis.shape[1]
        turned = probability @ self.basis
        hessian = np.empty((k, p, k, p))
        for a in range(k):
            for b in range(a + 1):
                curvature = probability @ (self.basis[:, a] * self.basis[:, b]) - turned[:, a] * turned[:, b]
                block = (self.X * (weight * curvature)[:, None]).T @ self.X
                hessian[a, :, b], hessian[b, :, a] = block, block
        return hessian.reshape(k * p, k * p) + np.diag(self.penalty)

    def refits(self) -> tuple[np.ndarray, np.ndarray]:
        """The optimum of all points, and the rise of each point's loss when it is left out."""
        weight = np.ones(len(self.X))
        optimum = self.fit(weight, np.zeros(len(self.penalty)))
        before, rises = self.losses(optimum), np.empty(len(self.X))
        for i in range(len(self.X)):
            weight[i] = 0.0
            rises[i] = self.losses(self.fit(weight, optimum))[i] - before[i]
            weight[i] = 1.0
        return optimum, rises


# ---- scores ----------------------------------------------------------------------------------------------------------


def scores(data: Data, model: Model, theta: np.ndarray) -> dict[str, np.ndarray]:
    """The three of the table, positive, as the library gives them."""
    columns = model.columns(theta)
    chosen = columns[:, 1:] if data.n_classes == 2 else columns
    arguments = (data.X, data.y, np.squeeze(chosen[:-1].T), np.squeeze(chosen[-1]), 1 / model.C)
    return {
        "paper's influence": -influence.loo_influence(*arguments, **PAPER),
        "influence": -influence.loo_influence(*arguments),
        "ALO": influence.loo_loss_change(*arguments),
    }


def agreement(score: np.ndarray, rise: np.ndarray) -> str:
    """Pearson, Spearman, and the sum of the scores by that of the rises."""
    ratio = score.sum() / rise.sum()
    return f"{pearsonr(score, rise)[0]:.3f}, {spearmanr(score, rise)[0]:.3f}, {ratio:.2f}"


def rows(data: Data) -> Iterator[str]:
    for C in data.strengths:
        model = Model(data, C)
        theta, rise = model.refits()
        cells = [agreement(score, rise) for score in scores(data, model, theta).values()]
        yield f"| {data.name} | {C:g} | {' | '.join(cells)} |"


def table(every: list[Data]) -> str:
    head = ["| data | C | paper's influence | influence | ALO |", "|---|---|---|---|---|"]
    return "\n".join(head + [row for data in every for row in rows(data)])


def main() -> None:
    made = table(all_data())
    print(made)
    text = PAGE.read_text()
    PAGE.write_text(re.sub(r"(<!-- table -->\n).*?(\n<!-- end -->)", lambda m: m[1] + made + m[2], text, flags=re.S))


if __name__ == "__main__":
    main()
