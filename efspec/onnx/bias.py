"""The attention bias of each query and key, looked up in its table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from efspec.plan.ops import AttentionBias


def looked_up(op: AttentionBias, table: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bias (h, Nq, Nk) of each query and key, of a table (h, height * width) by offset."""
    rows, columns = np.arange(op.height), np.arange(op.width)

    def between(positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        queries, keys = positions[:: op.query_stride], positions[:: op.key_stride]
        return np.abs(np.subtract.outer(queries, keys))

    dy, dx = between(rows), between(columns)  # (Hq, Hk) and (Wq, Wk)
    index = dy[:, None, :, None] * op.width + dx[None, :, None, :]
    queries, keys = index.shape[0] * index.shape[1], index.shape[2] * index.shape[3]
    return table[:, index.reshape(queries, keys)]
