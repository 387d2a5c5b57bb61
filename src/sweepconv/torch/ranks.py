"""The modules on a fixed number of spatial axes, under PyTorch's names."""

from __future__ import annotations

from .modules import (
    ConvNd,
    ConvTransposeNd,
    LocalConvNd,
    LocalConvTransposeNd,
    LowRankLocal,
    TiledConvNd,
    TiledConvTransposeNd,
)


class Conv1d(ConvNd):
    """`ConvNd` on one spatial axis."""

    axes = 1


class Conv2d(ConvNd):
    """`ConvNd` on two spatial axes."""

    axes = 2


class Conv3d(ConvNd):
    """`ConvNd` on three spatial axes."""

    axes = 3


class TiledConv1d(TiledConvNd):
    """`TiledConvNd` on one spatial axis."""

    axes = 1


class TiledConv2d(TiledConvNd):
    """`TiledConvNd` on two spatial axes."""

    axes = 2


class TiledConv3d(TiledConvNd):
    """`TiledConvNd` on three spatial axes."""

    axes = 3


class LocalConv1d(LocalConvNd):
    """`LocalConvNd` on one spatial axis."""

    axes = 1


class LocalConv2d(LocalConvNd):
    """`LocalConvNd` on two spatial axes."""

    axes = 2


class LocalConv3d(LocalConvNd):
    """`LocalConvNd` on three spatial axes."""

    axes = 3


class ConvTranspose1d(ConvTransposeNd):
    """`ConvTransposeNd` on one spatial axis."""

    axes = 1


class ConvTranspose2d(ConvTransposeNd):
    """`ConvTransposeNd` on two spatial axes."""

    axes = 2


class ConvTranspose3d(ConvTransposeNd):
    """`ConvTransposeNd` on three spatial axes."""

    axes = 3


class TiledConvTranspose1d(TiledConvTransposeNd):
    """`TiledConvTransposeNd` on one spatial axis."""

    axes = 1


class TiledConvTranspose2d(TiledConvTransposeNd):
    """`TiledConvTransposeNd` on two spatial axes."""

    axes = 2


class TiledConvTranspose3d(TiledConvTransposeNd):
    """`TiledConvTransposeNd` on three spatial axes."""

    axes = 3


class LocalConvTranspose1d(LocalConvTransposeNd):
    """`LocalConvTransposeNd` on one spatial axis."""

    axes = 1


class LocalConvTranspose2d(LocalConvTransposeNd):
    """`LocalConvTransposeNd` on two spatial axes."""

    axes = 2


class LocalConvTranspose3d(LocalConvTransposeNd):
    """`LocalConvTransposeNd` on three spatial axes."""

    axes = 3


class LowRankLocal1d(LowRankLocal):
    """`LowRankLocal` on one spatial axis."""

    axes = 1


class LowRankLocal2d(LowRankLocal):
    """`LowRankLocal` on two spatial axes."""

    axes = 2


class LowRankLocal3d(LowRankLocal):
    """`LowRankLocal` on three spatial axes."""

    axes = 3
