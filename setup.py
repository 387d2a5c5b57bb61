"""The extension modules and their platform's flags; all else stands in pyproject.toml."""

import os
import sys
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
LIMITED_API = not FREE_THREADED  # one cp311-abi3 wheel serves every Python that has a GIL
MACROS = [("Py_LIMITED_API", "0x030B0000")] if LIMITED_API else []

# No -ffast-math, not even at link time: it would flush denormals for the whole process.
# gnu11, since GCC contracts a * b + c to an FMA only outside of strict ISO mode.
COMPILE, LINK = {
    "win32": (["/O2", "/openmp"], []),
    "darwin": (["-O3", "-std=gnu11", "-Xpreprocessor", "-fopenmp"], ["-lomp"]),
}.get(sys.platform, (["-O3", "-std=gnu11", "-fopenmp", "-fno-math-errno", "-fno-trapping-math"],
                     ["-fopenmp"]))
if sanitizer := os.environ.get("SWEEPCONV_SANITIZE"):  # e.g. address,undefined; needs GCC or Clang
    COMPILE = [*COMPILE, f"-fsanitize={sanitizer}", "-fno-omit-frame-pointer", "-g"]
    LINK = [*LINK, f"-fsanitize={sanitizer}"]


def extension(name: str, *sources: str) -> Extension:
    return Extension(
        f"sweepconv.{name}",
        [f"ext/sweepconv/{name}.pyx", *sources],
        include_dirs=["ext/kernels"],
        depends=[str(p) for p in sorted(Path("ext").rglob("*.*")) if p.suffix in (".h", ".pxd")],
        define_macros=MACROS,
        py_limited_api=LIMITED_API,
        extra_compile_args=COMPILE,
        extra_link_args=LINK,
    )


setup(
    ext_modules=cythonize(
        [extension("_kernels", *(str(p) for p in sorted(Path("ext/kernels").glob("*.c")))),
         extension("_sweep"), extension("_recall"), extension("_pool")],
        include_path=["ext"],
        build_dir="build/cython",
        language_level=3,
    ),
    options={
        "build_ext": {"parallel": os.cpu_count()},
        **({"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED_API else {}),
    },
)
