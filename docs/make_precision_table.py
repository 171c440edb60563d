"""Measures the table of precision.md and writes it there: python docs/make_precision_table.py

The images are those of MNIST: `augcore.datasets.load("mnist", download=True)` stores them.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from augcore import _dispatch
from augcore.datasets import load
from augcore.influence import forms, loo_influence, loo_loss_change
from augcore.linear_model import LogisticRegression

PAGE = Path(__file__).resolve().parent / "precision.md"
N = 5_000
FALLS = (0, 1, 2, 3, 4, 5, 6)


def problems():
    """Names, features of float32, labels and C."""
    rng = np.random.default_rng(0)
    for fall in FALLS:
        basis = np.linalg.qr(rng.normal(size=(256, 256)))[0]
        X = rng.normal(size=(N, 256)) * np.logspace(0.0, -fall / 2, 256) @ basis
        y = (X[:, :5].sum(axis=1) + rng.normal(size=N) > 0).astype(int)
        yield f"256 features, singular values falling by 10^{fall / 2:g}", X, y, 1e4
    yield "256 features of mean 100", rng.normal(size=(N, 256)) + 100.0, rng.integers(0, 2, N), 1.0
    data = load("mnist", classes=(3, 8), n_train=N)
    pixels = data.x_train.reshape(N, -1) / 255.0
    pixels = pixels[:, pixels.std(axis=0) > 0]
    for C in (0.01, 1.0, 100.0):
        yield f"pixels of MNIST, 3 or 8, C = {C:g}", pixels, data.y_train, C


def row(name, X, y, C) -> str:
    X = X.astype(np.float32)
    exact = X.astype(np.float64)
    model = LogisticRegression(C=C).fit(exact, y)
    given = model.coef_, model.intercept_, model.l2
    condition = 1.0 / _dispatch.reciprocal_condition(model.factor_.lower)
    limit, cells = forms._SINGLE_CONDITION, []
    for function in (loo_influence, loo_loss_change):
        wanted = function(exact, y, *given)
        forms._SINGLE_CONDITION = 0.0
        worst = float(np.max(np.abs(function(X, y, *given) / wanted - 1.0)))
        forms._SINGLE_CONDITION = limit
        cells.append(f"{worst:.0e}")
    taken = "single" if condition * limit <= 1.0 else "double"
    return f"| {name} | {condition:.0e} | {cells[0]} | {cells[1]} | {taken} |"


def main() -> None:
    lines = [
        "| problem | condition | error of influence | of ALO | taken |",
        "|---|--:|--:|--:|---|",
        *(row(*problem) for problem in problems()),
    ]
    text = "\n".join(lines)
    page = PAGE.read_text()
    PAGE.write_text(re.sub(r"(<!-- table -->\n).*(<!-- end -->)", rf"\g<1>{text}\n\g<2>", page, flags=re.S))


if __name__ == "__main__":
    main()
