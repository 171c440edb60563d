"""Slow, obvious NumPy versions of every kernel: they define the meaning, and tests compare the kernels with them."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations, permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Images = NDArray[Any]
Indices = NDArray[np.int64]

# ---- sums over samples -----------------------------------------------------------------------------------------------

TILE_ROWS = 512


def tree_sum(terms: Floats) -> Any:
    """The sum over axis 0 as the kernels form it: rows in order within tiles, tiles by a fixed binary tree."""

    def node(tiles: list[Any]) -> Any:
        if len(tiles) == 1:
            return tiles[0]
        half = 1 << (len(tiles) - 1).bit_length() - 1
        return node(tiles[:half]) + node(tiles[half:])

    def tile(rows: Floats) -> Any:
        total = np.zeros(rows.shape[1:])
        for row in rows:
            total = total + row
        return total

    starts = range(0, max(len(terms), 1), TILE_ROWS)
    return node([tile(terms[start : start + TILE_ROWS]) for start in starts])


# ---- binary logistic regression: y is 0 or 1, eta = X coef + intercept -----------------------------------------------


def sigmoid(eta: Floats) -> Floats:
    with np.errstate(over="ignore"):
        positive = 1.0 / (1.0 + np.exp(-eta))
        negative = np.exp(eta) / (1.0 + np.exp(eta))
    return np.where(eta >= 0, positive, negative)


def signed_margin(eta: Floats, y: Floats) -> Floats:
    return np.where(y > 0.5, eta, -eta)


def log_loss(eta: Floats, y: Floats) -> Floats:
    """-log p(y)"""
    return np.logaddexp(0.0, -signed_margin(eta, y))


def residual(eta: Floats, y: Floats) -> Floats:
    """p - y, without the cancellation that the plain difference has."""
    signed: Floats = np.where(y > 0.5, -sigmoid(-eta), sigmoid(eta))
    return signed


def curvature(eta: Floats) -> Floats:
    """p (1 - p)"""
    return sigmoid(eta) * sigmoid(-eta)


def hessian(X: Floats, weight: Floats, eta: Floats, ridge: float, intercept: bool) -> Floats:
    """sum_i w_i p_i (1 - p_i) x_i x_i' + ridge I, the intercept last and not penalised."""
    design = np.column_stack([X, np.ones(len(X))]) if intercept else X
    penalty = np.full(design.shape[1], ridge)
    if intercept:
        penalty[-1] = 0.0
    total: Floats = (design.T * (weight * curvature(eta))) @ design + np.diag(penalty)
    return total


def inverse_quadratic_form(X: Floats, hessian: Floats, intercept: bool) -> Floats:
    """x_i' H^-1 x_i"""
    design = np.column_stack([X, np.ones(len(X))]) if intercept else X
    q: Floats = np.einsum("ij,ji->i", design, np.linalg.solve(hessian, design.T))
    return q


def loo_influence(eta: Floats, y: Floats, weight: Floats, q: Floats) -> Floats:
    """-w g' H^-1 g with the gradient g = (p - y) x of the sample's own loss, where q = x' H^-1 x."""
    return -weight * residual(eta, y) ** 2 * q


def loo_loss_change(eta: Floats, y: Floats, weight: Floats, q: Floats) -> Floats:
    """The rise of the sample's own loss after one Newton step without it; infinite where its leverage reaches 1."""
    leverage = weight * curvature(eta) * q
    with np.errstate(divide="ignore", invalid="ignore"):
        wrong = np.abs(residual(eta, y))
        fall = weight * wrong * q / (1.0 - leverage)  # of the margin
        change: Floats = np.where(leverage < 1.0, np.log1p(wrong * np.expm1(fall)), np.inf)
    return change


# ---- softmax of K classes: codes are 0 to K - 1, design is X or (X, 1), coef (K, q) ---------------------------------


def softmax(logits: Floats) -> Floats:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    p: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return p


def softmax_loss(logits: Floats, codes: Indices) -> Floats:
    """-log p of the own class"""
    return np.asarray(np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(codes)), codes])


def softmax_hessian(design: Floats, weight: Floats, logits: Floats, penalty: Floats) -> Floats:
    """sum_i w_i (diag(p_i) - p_i p_i') (x) x_i x_i' + I (x) diag(penalty): (K q, K q), singular in the intercepts."""
    n_classes = logits.shape[1]
    total: Floats = np.kron(np.eye(n_classes), np.diag(penalty)).astype(np.float64)
    for x, w, p in zip(design, weight, softmax(logits), strict=True):
        total += w * np.kron(np.diag(p) - np.outer(p, p), np.outer(x, x))
    return total


def softmax_leave_one_out(
    design: Floats, codes: Indices, weight: Floats, coef: Floats, penalty: Floats
) -> tuple[Floats, Floats, Floats]:
    """Influence -w g' H^+ g, the loss at the moved logits less the loss, and leverage trace(w D A), point by point."""
    logits = design @ coef.T
    n_classes = len(coef)
    inverse = np.linalg.pinv(softmax_hessian(design, weight, logits, penalty), rcond=1e-13, hermitian=True)
    scores = []
    for x, code, w, eta, p in zip(design, codes, weight, logits, softmax(logits), strict=True):
        r = p - np.eye(n_classes)[code]
        rows = np.kron(np.eye(n_classes), x)
        a = rows @ inverse @ rows.T
        d = np.diag(p) - np.outer(p, p)
        moved = eta + w * a @ np.linalg.solve(np.eye(n_classes) - w * d @ a, r)
        change = softmax_loss(moved[None], np.array([code])) - softmax_loss(eta[None], np.array([code]))
        scores.append((-w * r @ a @ r, change[0], w * np.trace(d @ a)))
    influence, changes, leverages = np.array(scores).T
    return influence, changes, leverages


# ---- weighted sampling -----------------------------------------------------------------------------------------------


def philox4x64(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Philox4x64-10 (Salmon et al., 2011) of a 256-bit counter and a 128-bit key, in words of 64 bits."""
    mask = 2**64 - 1
    c, k = list(counter), list(key)
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * c[0], 2**64)
        high1, low1 = divmod(0xCA5A826395121157 * c[2], 2**64)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B97F4A7C15) & mask, (k[1] + 0xBB67AE8584CAA73B) & mask]
    return c[0], c[1], c[2], c[3]


def uniforms(key: tuple[int, int], first_index: int, n: int) -> Floats:
    """u of the items first_index, ...: odd multiples of 2^-53 in (0, 1), from the upper 52 bits of a word each."""
    items = range(first_index, first_index + n)
    words = [philox4x64((i // 4 + 1, 0, 0, 0), key)[i % 4] for i in items]
    return np.array([((word >> 12) + 0.5) * 2.0**-52 for word in words], dtype=np.float64)


def exponential_keys(log_weights: ArrayLike, key: tuple[int, int], first_index: int = 0) -> Floats:
    """log E_i - log w_i with standard exponentials E_i = -log u_i: the smaller, the earlier in the order."""
    weights = np.asarray(log_weights, dtype=np.float64)
    return np.log(-np.log(uniforms(key, first_index, len(weights)))) - weights


def weighted_order(log_weights: ArrayLike, key: tuple[int, int]) -> NDArray[np.intp]:
    """All items by rising key; keys that round to the same number are told apart by E_i exactly, then by index."""
    weights = np.asarray(log_weights, dtype=np.float64)
    log_e = np.log(-np.log(uniforms(key, 0, len(weights))))

    def rank(i: int) -> tuple[float | Fraction, float, int]:
        finite = math.isfinite(weights[i])
        exact = Fraction(log_e[i]) - Fraction(weights[i]) if finite else -weights[i]
        return exact, log_e[i], i

    return np.array(sorted(range(len(weights)), key=rank), dtype=np.intp)


def plackett_luce(weights: ArrayLike) -> dict[tuple[int, ...], float]:
    """The probability of every order of a few items: each next one in proportion to the weights that are left."""
    w = [float(weight) for weight in np.asarray(weights, dtype=np.float64)]
    return {
        order: math.prod(w[item] / math.fsum(w[left] for left in order[place:]) for place, item in enumerate(order))
        for order in permutations(range(len(w)))
    }


def probabilities(scores: ArrayLike, policy: str) -> Floats:
    """First-draw probabilities, for scores of moderate size none of which is zero."""
    size = np.abs(np.asarray(scores, dtype=np.float64))
    weights = {
        "baseline": np.ones_like(size),
        "random_proportional": size,
        "random_inverse_proportional": 1 / size,
        "random_softmax_proportional": np.exp(size),
        "random_inverse_softmax_proportional": np.exp(-size),
    }[policy]
    return np.asarray(weights / weights.sum())


# ---- image transforms ------------------------------------------------------------------------------------------------
#
# Images are (n, h, w, c). Everything is computed in float64; a pixel of weight zero does not count.

MAX_POSITION = 2.0**50


def border_index(i: Indices, n: int, border: str) -> Indices:
    """The index in [0, n) of the pixel that stands at i along an axis of n; -1 where the fill value stands."""
    inside = (i >= 0) & (i < n)
    if border == "edge":
        other = np.clip(i, 0, n - 1)
    elif border == "constant":
        other = np.full_like(i, -1)
    elif border == "reflect":
        period = max(2 * (n - 1), 1)
        other = np.minimum(i % period, (-i) % period)
    elif border == "symmetric":
        other = np.minimum(i % (2 * n), (-1 - i) % (2 * n))
    else:
        other = i % n
    return np.where(inside, i, other)


def cubic_kernel(d: float) -> float:
    """Keys' cubic convolution kernel with a = -0.75, at distance d >= 0."""
    a = -0.75
    if d <= 1:
        return ((a + 2) * d - (a + 3)) * d * d + 1
    if d < 2:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return 0.0


def to_pixels(values: Floats, dtype: np.dtype[Any]) -> Images:
    """Rounded half to even and saturated for integers."""
    if dtype.kind == "u":
        return np.clip(np.rint(values), 0, np.iinfo(dtype).max).astype(dtype)
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def _weighted(weights: Floats, values: list[Floats]) -> Floats:
    """sum_k weights[k] * values[k], in this order, without the terms of weight zero. weights: (taps, pixels)."""
    total, empty = np.zeros_like(values[0]), np.ones_like(values[0], dtype=bool)
    for weight, value in zip(weights[..., np.newaxis], values, strict=True):
        with np.errstate(invalid="ignore", over="ignore"):
            total = np.where(weight == 0, total, np.where(empty, weight * value, total + weight * value))
        empty = empty & (weight == 0)
    return total


def source_positions(inverse: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    """x and y in the source of every pixel of a destination of height x width; inverse: (3, 3)."""
    m = inverse
    y, x = np.mgrid[:height, :width].astype(np.float64)
    with np.errstate(all="ignore"):
        sx = m[0, 0] * x + (m[0, 1] * y + m[0, 2])
        sy = m[1, 0] * x + (m[1, 1] * y + m[1, 2])
        if (m[2] != [0, 0, 1]).any():
            sw = m[2, 0] * x + (m[2, 1] * y + m[2, 2])
            sx, sy = sx / sw, sy / sw

    def limited(s: Floats) -> Floats:
        return np.minimum(np.where(s > -MAX_POSITION, s, -MAX_POSITION), MAX_POSITION)

    return limited(sx), limited(sy)


def fold(s: Floats, n: int, border: str) -> Floats:
    """Where positions along an axis of n pixels are seen in the image that the border repeats."""
    if border == "reflect":
        period = 2.0 * (n - 1) if n > 1 else 1.0
        t = s - period * np.floor(s / period)
        seen = np.where(t <= n - 1, t, period - t) if n > 1 else np.zeros_like(s)
        return np.where((s >= 0) & (s <= n - 1), s, seen)
    if border == "symmetric":
        t = (s + 0.5) - 2.0 * n * np.floor((s + 0.5) / (2.0 * n))
        return np.where((s >= -0.5) & (s <= n - 0.5), s, np.where(t <= n, t, 2.0 * n - t) - 0.5)
    if border == "wrap":
        t = s - float(n) * np.floor(s / n)
        return np.where((s >= 0) & (s < n), s, np.where(t < n, t, 0.0))
    return s


def _axis_taps(s: Floats, n: int, interpolation: str, border: str) -> tuple[Indices, Floats]:
    """The pixels that a position s along an axis of n mixes, and their weights: (taps, pixels) each."""
    if interpolation == "nearest":
        return border_index(np.rint(s).astype(np.int64)[np.newaxis], n, border), np.ones((1, s.size))
    s = fold(s, n, border)
    if interpolation == "bilinear" and border in ("edge", "symmetric"):  # between the edge and its repetition
        s = np.clip(s, 0, n - 1)
    first = np.floor(s).astype(np.int64)
    f = s - first
    if interpolation == "bilinear":
        offsets, weights = [0, 1], np.stack([1 - f, f])
    else:
        offsets = [-1, 0, 1, 2]
        weights = np.array([[cubic_kernel(d) for d in (1 + t, t, 1 - t, 2 - t)] for t in f.tolist()]).T.reshape(4, -1)
    return np.stack([border_index(first + offset, n, border) for offset in offsets]), weights


def sample(image: Images, sx: Floats, sy: Floats, interpolation: str, border: str, fill: Floats) -> Images:
    """The values (pixels, c) of an image (h, w, c) at positions (pixels,)."""
    h, w, _ = image.shape
    columns, wx = _axis_taps(sx, w, interpolation, border)
    rows, wy = _axis_taps(sy, h, interpolation, border)
    values = image.astype(np.float64)

    def tap(row: Indices, column: Indices) -> Floats:
        inside = (row >= 0) & (column >= 0)
        return np.where(inside[:, np.newaxis], values[row, column], fill)

    lines = [_weighted(wx, [tap(row, column) for column in columns]) for row in rows]
    mixed = _weighted(wy, lines)
    outside = np.logical_or(np.all(columns < 0, axis=0), np.all(rows < 0, axis=0))[:, np.newaxis]
    return to_pixels(np.where(outside, fill, mixed), image.dtype)


def is_whole_shift(inverse: Floats) -> bool:
    linear = inverse.copy()
    linear[:2, 2] = 0
    return bool((linear == np.eye(3)).all() and (inverse[:2, 2] == np.rint(inverse[:2, 2])).all())


def warp(
    images: Images, inverse: Floats, size: tuple[int, int], interpolation: str, border: str, fill: Floats
) -> Images:
    """inverse: (1 or n, 3, 3), destination -> source; fill: (1 or n, c). Whole-pixel translations copy pixels."""
    n, _, _, c = images.shape
    fill = to_pixels(fill, images.dtype).astype(np.float64)
    out = np.empty((n, *size, c), images.dtype)
    for i in range(n):
        m = inverse[i % len(inverse)]
        sx, sy = source_positions(m, *size)
        how = "nearest" if is_whole_shift(m) else interpolation
        values = sample(images[i], sx.ravel(), sy.ravel(), how, border, fill[i % len(fill)])
        out[i] = values.reshape(*size, c)
    return out


def resize_weights(n_in: int, n_out: int, interpolation: str, antialias: bool) -> Floats:
    """The matrix (n_out, n_in) that resizes one axis."""
    weights = np.zeros((n_out, n_in))

    def add(row: int, i: int, weight: float) -> None:
        weights[row, min(max(i, 0), n_in - 1)] += weight

    for row in range(n_out):
        at = (row + 0.5) * n_in / n_out - 0.5
        if interpolation == "nearest":
            add(row, int(np.rint(at)), 1.0)
        elif interpolation == "area" and n_in >= n_out:
            low, high = row * n_in / n_out, (row + 1) * n_in / n_out
            for i in range(n_in):
                add(row, i, max(min(high, i + 1) - max(low, i), 0.0) / (high - low))
        elif interpolation == "area":
            i = math.floor(row * n_in / n_out)
            f = (row + 1) - (i + 1) * (n_out / n_in)
            f = 0.0 if f <= 0 else f - math.floor(f)
            add(row, i, 1 - f)
            add(row, i + 1, f)
        elif antialias and n_in > n_out:
            scale = n_in / n_out
            distances = [abs(i - at) / scale for i in range(n_in)]
            kernel = [cubic_kernel(d) if interpolation == "bicubic" else max(1 - d, 0.0) for d in distances]
            total = 0.0
            for value in kernel:
                total += value
            for i, value in enumerate(kernel):
                add(row, i, value / total)
        elif interpolation == "bicubic":
            i = math.floor(at)
            f = at - i
            for k, d in enumerate((1 + f, f, 1 - f, 2 - f)):
                add(row, i - 1 + k, cubic_kernel(d))
        else:
            at = min(max(at, 0.0), n_in - 1.0)
            i = math.floor(at)
            add(row, i, 1 - (at - i))
            add(row, i + 1, at - i)
    return weights


def resize(images: Images, rectangles: Indices, size: tuple[int, int], interpolation: str, antialias: bool) -> Images:
    """rectangles: (1 or n, 4), top, left, height, width of what is resized: first along x, then along y."""
    n, _, _, c = images.shape
    out = np.empty((n, *size, c), images.dtype)
    for i in range(n):
        top, left, height, width = rectangles[i % len(rectangles)]
        values = images[i, top : top + height, left : left + width].astype(np.float64)
        across = resize_weights(width, size[1], interpolation, antialias)
        down = resize_weights(height, size[0], interpolation, antialias)
        # (pixels of an axis, everything else) for each tap, and back.
        columns = [np.broadcast_to(v.reshape(1, -1), (size[1], v.size)) for v in np.moveaxis(values, 1, 0)]
        lines = _weighted(across.T, columns).reshape(size[1], height, c)
        rows = [np.broadcast_to(v.reshape(1, -1), (size[0], v.size)) for v in np.moveaxis(lines, 1, 0)]
        mixed = _weighted(down.T, rows).reshape(size[0], size[1], c)
        out[i] = to_pixels(mixed, images.dtype)
    return out


def flip(images: Images, axis: str) -> Images:
    return images[:, :: 1 if axis == "horizontal" else -1, :: 1 if axis == "vertical" else -1]


def opencv4_warp(images: Images, inverse: Floats, size: tuple[int, int]) -> Images:
    """OpenCV 4's bilinear warpAffine with a replicated border: positions in steps of 1/32 pixel."""
    n, h, w, c = images.shape
    out = np.empty((n, *size, c), np.uint8)
    for i in range(n):
        m = inverse[i % len(inverse)]
        y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)

        def neighbours(column: float, row: float, shift: float, last: int) -> tuple[Indices, Indices, Indices]:
            start = np.rint((row * y + shift) * 1024).astype(np.int64) + 16  # noqa: B023
            position = (start + np.rint(column * x * 1024).astype(np.int64)) >> 5  # noqa: B023
            first = position >> 5
            return np.clip(first, 0, last), np.clip(first + 1, 0, last), (position & 31)[..., np.newaxis]

        x0, x1, fx = neighbours(m[0, 0], m[0, 1], m[0, 2], w - 1)
        y0, y1, fy = neighbours(m[1, 0], m[1, 1], m[1, 2], h - 1)
        v = images[i].astype(np.int64)
        top = v[y0, x0] * (32 - fx) * (32 - fy) + v[y0, x1] * fx * (32 - fy)
        bottom = v[y1, x0] * (32 - fx) * fy + v[y1, x1] * fx * fy
        out[i] = (top + bottom + 512) >> 10
    return out


def opencv4_resize(images: Images, rectangles: Indices, size: tuple[int, int], interpolation: str) -> Images:
    """OpenCV 4's resize of uint8 images, bilinear or area (enlarging): weights of 11 bits."""

    def taps(n_in: int, n_out: int) -> tuple[Indices, NDArray[np.float32]]:
        inverse = n_out / n_in
        i = np.arange(n_out, dtype=np.float64)
        if interpolation == "area":
            index = np.floor(i * (1 / inverse))
            f = ((i + 1) - (index + 1) * inverse).astype(np.float32)
            f = np.where(f <= 0, np.float32(0), f - np.floor(f))
        else:
            at = ((i + 0.5) * (1 / inverse) - 0.5).astype(np.float32)
            index = np.floor(at)
            f = at - index.astype(np.float32)
        return index.astype(np.int64), f

    def fixed(weight: NDArray[np.float32]) -> Indices:
        weights: Indices = np.rint(weight * np.float32(2048)).astype(np.int64)
        return weights

    n, _, _, c = images.shape
    out = np.empty((n, *size, c), np.uint8)
    for k in range(n):
        top, left, height, width = rectangles[k % len(rectangles)]
        v = images[k, top : top + height, left : left + width].astype(np.int64)
        x, fx = taps(width, size[1])
        fx = np.where((x < 0) | (x >= width - 1), np.float32(0), fx)
        y, fy = taps(height, size[0])
        a0, a1 = fixed(1 - fx)[:, np.newaxis], fixed(fx)[:, np.newaxis]
        b0, b1 = fixed(1 - fy)[:, np.newaxis, np.newaxis], fixed(fy)[:, np.newaxis, np.newaxis]
        lines = a0 * v[:, np.clip(x, 0, width - 1)] + a1 * v[:, np.clip(x + 1, 0, width - 1)]
        h0, h1 = lines[np.clip(y, 0, height - 1)] >> 4, lines[np.clip(y + 1, 0, height - 1)] >> 4
        out[k] = np.clip((((b0 * h0) >> 16) + ((b1 * h1) >> 16) + 2) >> 2, 0, 255)
    return out


# ---- determinantal point processes -----------------------------------------------------------------------------------


def elementary_symmetric(eigenvalues: ArrayLike, k: int) -> list[Fraction]:
    """e_0 ... e_k of the eigenvalues, exactly."""
    found = [Fraction(1)] + [Fraction(0)] * k
    for value in np.asarray(eigenvalues, dtype=np.float64).tolist():
        found = [e + Fraction(value) * (found[j - 1] if j else 0) for j, e in enumerate(found)]
    return found


def k_dpp_probabilities(L: Floats, k: int) -> dict[tuple[int, ...], float]:
    """The probability of every set of k points: its determinant over the sum of all."""
    sets = list(combinations(range(len(L)), k))
    weights = np.array([np.linalg.det(L[np.ix_(points, points)]) if k else 1.0 for points in sets])
    return dict(zip(sets, (weights / weights.sum()).tolist(), strict=True))


def greedy_map(L: Floats, k: int) -> list[int]:
    """Each next point makes the determinant largest; of points that are equal but for rounding the first."""
    chosen: list[int] = []
    for _ in range(k):
        others = [i for i in range(len(L)) if i not in chosen]
        sizes = [np.linalg.slogdet(L[np.ix_([*chosen, i], [*chosen, i])])[1] for i in others]
        chosen.append(next(i for i, size in zip(others, sizes, strict=True) if size >= max(sizes) - 1e-12))
    return chosen
