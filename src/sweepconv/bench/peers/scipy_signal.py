"""SciPy for planes: `convolve`, which chooses between FFT and sums, and `oaconvolve`."""

from __future__ import annotations

from typing import Any

from scipy import fft, signal

from sweepconv.bench.cases import Array, Case

from .base import Call, Entries, PeerBase
from .planes import each_plane, is_centred, is_planes


class Peer(PeerBase):
    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads

    def entries(self, case: Case) -> Entries:
        valid = not any(case.layer.pad)
        if not is_planes(case) or not (valid or is_centred(case)):
            return {}
        mode = "valid" if valid else "same"
        return {"convolve": lambda: self._call(case, signal.convolve, mode),
                "oaconvolve": lambda: self._call(case, signal.oaconvolve, mode)}

    def _call(self, case: Case, function: Any, mode: str) -> Call:
        def one(plane: Array, taps: Array) -> Array:
            with fft.set_workers(self.n_threads):
                result: Array = function(plane, taps, mode)
            return result

        return each_plane(case, True, one)
