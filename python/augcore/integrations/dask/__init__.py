"""Fits, scores, orders and transforms of Dask arrays: on the threads of this process, or on a cluster.

    from dask.distributed import Client
    client = Client("tcp://scheduler:8786")
    X = dask.array.from_zarr("features.zarr")
    model = fit(X, y, C=10.0)
    scores = loo_influence(X, y, model.coef_, model.intercept_, l2=model.l2)
    chosen = order(scores, "random_proportional", rng=0, k=100_000)

Results are those of one machine to the last bit, whatever the chunks and the workers, and if workers die on the way:
sums run over fixed tiles of rows and a fixed tree (tree_sum.hpp). Chunks are first given edges at whole tiles, for
which the ragged rows alone travel; then each worker sums the tiles that it holds, and only nodes of the tree are sent.
What all chunks need, as the factor of the Hessian, is one task whose result goes to each worker once. The results that
a worker dies with are computed again elsewhere.

Workers need this version of augcore, at the same level of instructions: set AUGCORE_SIMD to the lowest for all of them
where they differ. Each task computes with one thread unless `threads` says otherwise: let Dask run one for each core.
"""

from __future__ import annotations

from augcore.integrations.dask.images import augment, crop, flip, resize, rotate, translate, warp_affine
from augcore.integrations.dask.orders import order
from augcore.integrations.dask.scores import fit, leverage, log_loss, loo_influence, loo_loss_change, score

__all__ = [
    "augment",
    "crop",
    "fit",
    "flip",
    "leverage",
    "log_loss",
    "loo_influence",
    "loo_loss_change",
    "order",
    "resize",
    "rotate",
    "score",
    "translate",
    "warp_affine",
]
