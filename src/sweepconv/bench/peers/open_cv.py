"""OpenCV for planes of one or two axes: `filter2D`, which by itself turns to FFT for large ones."""

from __future__ import annotations

import cv2
import numpy as np

from sweepconv.bench.cases import Array, Case

from .base import Entries, PeerBase
from .planes import each_plane, is_centred, is_planes


class Peer(PeerBase):
    def __init__(self, n_threads: int) -> None:
        cv2.setNumThreads(n_threads)

    def entries(self, case: Case) -> Entries:
        if case.layer.ndim > 2 or not is_planes(case) or not is_centred(case):
            return {}

        def one(plane: Array, taps: Array) -> Array:
            y: Array = cv2.filter2D(np.atleast_2d(plane), -1, np.atleast_2d(taps),
                                    borderType=cv2.BORDER_CONSTANT)
            return y.reshape(plane.shape)

        return {"filter2D": lambda: each_plane(case, False, one)}
