"""Layers for PyTorch, `import sweepconv.torch as sct`: no other module here imports PyTorch.

    layer = sct.LocalConv2d(16, 32, 3, input_size=(32, 32))      an nn.Module like torch.nn.Conv2d
    y = sct.local_conv(x, weight, bias, padding=1)               or as a function

Conv, TiledConv and LocalConv, each with its transpose, and LowRankLocal: for 1, 2 and 3 spatial
axes under PyTorch's names (`LocalConv1d`), or with the number of axes taken from the arguments
(`LocalConvNd`).  Tensors on the CPU, float32 and float64, are read where they lie.
"""

try:
    import torch as _torch
except ImportError as _error:
    raise ImportError("sweepconv.torch needs PyTorch: pip install torch --index-url "
                      "https://download.pytorch.org/whl/cpu") from _error

from . import functional
from .convert import from_torch, to_torch
from .functional import (
    conv,
    conv_transpose,
    local_conv,
    local_conv_transpose,
    low_rank_local,
    tiled_conv,
    tiled_conv_transpose,
)
from .modules import (
    ConvNd,
    ConvTransposeNd,
    LocalConvNd,
    LocalConvTransposeNd,
    LowRankLocal,
    TiledConvNd,
    TiledConvTransposeNd,
)
from .ranks import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    LocalConv1d,
    LocalConv2d,
    LocalConv3d,
    LocalConvTranspose1d,
    LocalConvTranspose2d,
    LocalConvTranspose3d,
    LowRankLocal1d,
    LowRankLocal2d,
    LowRankLocal3d,
    TiledConv1d,
    TiledConv2d,
    TiledConv3d,
    TiledConvTranspose1d,
    TiledConvTranspose2d,
    TiledConvTranspose3d,
)

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvNd",
    "TiledConv1d", "TiledConv2d", "TiledConv3d", "TiledConvNd",
    "LocalConv1d", "LocalConv2d", "LocalConv3d", "LocalConvNd",
    "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "ConvTransposeNd",
    "TiledConvTranspose1d", "TiledConvTranspose2d", "TiledConvTranspose3d",
    "TiledConvTransposeNd",
    "LocalConvTranspose1d", "LocalConvTranspose2d", "LocalConvTranspose3d",
    "LocalConvTransposeNd",
    "LowRankLocal1d", "LowRankLocal2d", "LowRankLocal3d", "LowRankLocal",
    "conv", "conv_transpose", "from_torch", "functional", "local_conv", "local_conv_transpose",
    "low_rank_local", "tiled_conv", "tiled_conv_transpose", "to_torch",
]
