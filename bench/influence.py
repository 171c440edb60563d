"""Leave-one-out influence beside the closed form that a careful NumPy and SciPy user would write.

`python bench/influence.py` prints one table; the class is for asv. The two are run in turn in one process, on the same
data, after their results are checked to be equal; what is quoted is the median and the ratio of medians.
"""

from __future__ import annotations

import argparse
import functools

import numpy as np
import scipy.linalg
from scipy.linalg.blas import dsyrk, dtrsm
from threadpoolctl import threadpool_limits

from augcore import build_info, influence
from augcore.benchmarks.timing import interleaved


def problem(n: int, p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    """Features, labels, coefficients, intercept and l2 of a plausible fitted model."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p))
    coef = rng.normal(size=p) / np.sqrt(p)
    y = (X @ coef + 0.5 * rng.normal(size=n) > 0).astype(np.float64)
    return X, y, coef, 0.1, 0.1


def closed_form(X: np.ndarray, y: np.ndarray, coef: np.ndarray, intercept: float, l2: float) -> np.ndarray:
    """-g' H^-1 g by syrk, Cholesky and trsm; 2 n p^2 + p^3 / 3 operations."""
    design = np.empty((len(X), X.shape[1] + 1))
    design[:, :-1] = X
    design[:, -1] = 1.0
    eta = X @ coef + intercept
    probability = 1.0 / (1.0 + np.exp(-eta))
    scaled = design * np.sqrt(probability * (1.0 - probability))[:, None]
    hessian = dsyrk(1.0, scaled.T, lower=1)  # scaled.T is Fortran-ordered: no copy
    hessian[np.arange(X.shape[1]), np.arange(X.shape[1])] += l2
    factor = scipy.linalg.cholesky(hessian, lower=True, overwrite_a=True, check_finite=False)
    solved = dtrsm(1.0, factor, design.T, lower=1)
    return -((probability - y) ** 2) * np.einsum("ij,ij->j", solved, solved)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=31)
    arguments = parser.parse_args()
    print(
        f"threads {arguments.threads}, SIMD level {build_info()['simd']}, median of {arguments.repeats}, milliseconds"
    )
    print(f"{'n':>7} {'p':>5} {'augcore':>9} {'closed form':>12} {'ratio':>6} {'GFLOP/s':>8}")
    for n, p in ((1000, 256), (1000, 512), (5000, 256), (20000, 256)):
        data = problem(n, p)
        ours = functools.partial(influence.loo_influence, *data, threads=arguments.threads)
        theirs = functools.partial(closed_form, *data)
        np.testing.assert_allclose(ours(), theirs(), rtol=1e-8)
        with threadpool_limits(arguments.threads):
            mine, other = interleaved([ours, theirs], arguments.repeats)
        operations = 2 * n * p**2 + p**3 / 3
        print(f"{n:>7} {p:>5} {mine:>9.2f} {other:>12.2f} {mine / other:>6.2f} {operations / mine / 1e6:>8.1f}")


class LooInfluence:
    params = ([1000, 5000, 50000], [64, 256])
    param_names = ("n", "p")

    def setup(self, n: int, p: int) -> None:
        self.data = problem(n, p)

    def time_loo_influence(self, n: int, p: int) -> None:
        influence.loo_influence(*self.data, threads=1)


if __name__ == "__main__":
    main()
