"""Fits and scores of samples that do not fit in memory: they are read block by block, once for each sum.

    blocks = Blocks(np.load("X.npy", mmap_mode="r"), np.load("y.npy", mmap_mode="r"))
    model = fit(blocks, C=10.0)
    scores = score(model, blocks, "loo_influence")

The results are those of `augcore.linear_model.LogisticRegression` and `augcore.scores` for the same samples in memory,
to the last bit, whatever the blocks. Memory is that of a block and of the Hessian's sums; the scores take eight bytes a
sample, in the array that they are written to.
"""

from __future__ import annotations

from augcore.streaming.blocks import Blocks, Journal
from augcore.streaming.scoring import fit, score

__all__ = ["Blocks", "Journal", "fit", "score"]
