"""Blocks of samples on their way to a GPU, each copied while the one before is computed with.

A block goes through page-locked memory, from which cards copy by themselves, unless it is in such memory already. Where
X fits on the card beside what is computed, it is kept there: later passes read nothing. Otherwise there are two places
for blocks, and every pass copies all of them anew.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from augcore import _device
from augcore._samples import Block

__all__ = ["Uploads"]

_SHARE_KEPT = 0.6  # of the free memory of the card that X may take
_PAGE_LOCKED = 1  # cudaMemoryTypeHost


class _Place:
    """Where every other block passes: page-locked memory, and one on the card; events say when they are free."""

    def __init__(self, rows: int, p: int, dtype: np.dtype[Any], on_card: bool) -> None:
        self.shape, self.dtype = (rows, p), dtype
        self.locked: Any = None
        self.there: Any = _device.empty("X", self.shape, dtype) if on_card else None
        self.copied: Any = None
        self.used: Any = None

    def staged(self, X: Any) -> Any:
        """Rows in page-locked memory, which the last copy has left."""
        if self.copied is not None:
            self.copied.synchronize()
        if self.locked is None:
            n_bytes = self.dtype.itemsize * self.shape[0] * self.shape[1]
            memory = _device.cupy().cuda.alloc_pinned_memory(n_bytes)
            count = self.shape[0] * self.shape[1]
            self.locked = np.frombuffer(memory, self.dtype, count).reshape(self.shape)
        np.copyto(self.locked[: len(X)], X)
        return self.locked[: len(X)]


class _Sent(NamedTuple):
    block: Block  # X and weight on the card
    place: _Place
    copied: Any
    source: Any  # which is read until then


class Uploads:
    """Rows of a set of n samples, in blocks of `rows` at most."""

    def __init__(self, n: int, p: int, dtype: np.dtype[Any], rows: int) -> None:
        runtime = _device.cupy().cuda.runtime
        fits = n * p * dtype.itemsize <= _SHARE_KEPT * runtime.memGetInfo()[0]
        self._whole: Any = _device.empty("X", (n, p), dtype) if fits else None
        self._places = [_Place(min(n, rows), p, dtype, not fits) for _ in range(2)]
        self._n, self._arrived = n, 0
        self._stream = _device.cupy().cuda.Stream(non_blocking=True)
        # What the memory was used for before may still be under way.
        self._stream.wait_event(_device.cupy().cuda.get_current_stream().record())

    @property
    def has_all(self) -> bool:
        """Whether all of X is on the card."""
        return self._whole is not None and self._arrived == self._n

    def blocks(self, blocks: Generator[Block]) -> Generator[Block]:
        """The same blocks with X and weights on the card. Where all of X is there, theirs is not looked at."""
        before: _Sent | None = None
        with closing(blocks):
            for number, block in enumerate(blocks):
                if block.first + len(block.y) > self._n:  # more samples than there were
                    yield block
                    return
                sent = self._send(block, self._places[number % 2])
                if before is not None:
                    yield from self._given(before)
                before = sent
            if before is not None:
                yield from self._given(before)

    def _send(self, block: Block, place: _Place) -> _Sent:
        first, last = block.first, block.first + len(block.y)
        there: Any = place.there[: len(block.y)] if self._whole is None else self._whole[first:last]
        weight = None if block.weight is None else _device.upload(block.weight)
        source, copied = None, None
        if self._whole is None or last > self._arrived:
            source = block.X if _is_page_locked(block.X) else place.staged(block.X)
            if place.used is not None:
                self._stream.wait_event(place.used)
            there.set(source, stream=self._stream)
            copied = place.copied = self._stream.record()
            if first <= self._arrived:
                self._arrived = max(self._arrived, last)
        return _Sent(block._replace(X=there, weight=weight), place, copied, source)

    def _given(self, sent: _Sent) -> Generator[Block]:
        current = _device.cupy().cuda.get_current_stream()
        if sent.copied is not None:
            current.wait_event(sent.copied)
        yield sent.block
        if self._whole is None:
            sent.place.used = current.record()


def _is_page_locked(X: Any) -> bool:
    if not X.flags.c_contiguous or not X.size:
        return False
    return bool(_device.cupy().cuda.runtime.pointerGetAttributes(X.ctypes.data).type == _PAGE_LOCKED)
