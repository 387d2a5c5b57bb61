"""Who is timed.  Each runs in a process of its own, which imports the peer's package first and
then the file named here, whose class `Peer` makes the calls."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

OURS = "sweepconv"


class Info(NamedTuple):
    """`needs`: modules to import; `package`: whose version counts; `takes_numpy`: whether arrays
    of NumPy go in and come out as they are."""

    file: str
    needs: tuple[str, ...]
    package: str
    takes_numpy: bool


PEERS = {
    OURS: Info("ours", ("sweepconv",), "sweepconv", True),
    "numpy": Info("numpy_patches", ("numpy",), "numpy", True),
    "torch": Info("pytorch", ("torch",), "torch", False),
    "onnxruntime": Info("onnx_runtime", ("onnxruntime", "onnx"), "onnxruntime", True),
    "openvino": Info("openvino_cpu", ("openvino",), "openvino", True),
    "jax": Info("jax_cpu", ("jax",), "jax", False),
    "scipy": Info("scipy_signal", ("scipy",), "scipy", True),
    "opencv": Info("open_cv", ("cv2",), "opencv-python-headless", True),
}


def lacks(name: str) -> list[str]:
    """Modules that a peer needs and that are not installed."""
    return [module for module in PEERS[name].needs if find_spec(module) is None]
