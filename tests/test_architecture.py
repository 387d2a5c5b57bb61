"""The arrows between the rooms of the library, as CONTRIBUTING.md draws them, point down only."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sweepconv

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "sweepconv"

COMPILED = {"_kernels", "_sweep", "_recall", "_pool"}
# A module may import from its own floor and from those above it in this list, which lie deeper
# in the house.  A new module must be given its place here.
FLOORS: tuple[set[str], ...] = (
    {"geometry", "_arrays", *COMPILED},
    {"counts", "phases", "runtime", "reference"},
    {"_engine", "_interleave", "_keywords", "_known", "packing", "testing", "winograd"},
    {"conv", "tiled", "local", "dense", "pool"},
    {"_adapters", "layers", "sharing", "equivariance", "efficiency", "weak", "datasets"},
    {"torch", "jax", "dask", "compat"},
    {"output"},
    {"lab", "bench", "explore", "reproduce"},
    {"cli"},
    {"__main__"},
)
ALLOWED = {  # stricter than their floor
    "counts": {"geometry"},
    "reference": {"geometry"},
    "testing": {"geometry", "reference"},
}
# The only doors to the compiled modules, and what each may open.
ENGINE_CALLERS = {
    "_engine": {"_sweep", "_recall"}, "_known": {"_sweep", "_recall"},
    "packing": {"_sweep", "_kernels"},
    "runtime": {"_sweep", "_kernels"},
    "pool": {"_pool"},
}
# These may import the extras; all others NumPy alone.
BEYOND_NUMPY = {"sharing", "weak", "datasets", "torch", "jax", "dask", "output", "lab", "bench",
                "reproduce", "cli"}

INSTRUCTION_SETS = re.compile(r"avx|sse\d|_mm\d*_|neon|\bsve|\bamx|vnni|rvv", re.IGNORECASE)
NOT_IN_KERNELS = re.compile(
    r"\bPy[A-Z_]\w*|\bomp\b|\bomp_|pthread|\b(malloc|calloc|realloc|free|alloca|aligned_alloc)\s*\("
    r"|stride|padding|dilation")
C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def room(path: Path) -> str:
    """The module a file belongs to: `conv` for conv.py, `lab` for every file of lab/."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def kernel_files() -> list[Path]:
    return sorted(p for p in (ROOT / "ext" / "kernels").iterdir() if p.suffix in (".c", ".h"))


def cython_files() -> list[Path]:
    return sorted(p for p in (ROOT / "ext" / "sweepconv").iterdir()
                  if p.suffix in (".pyx", ".pxd", ".pxi"))


def imports(path: Path) -> Iterator[str]:
    """Absolute dotted names of all that a file imports, at its head or inside of functions."""
    # The package as Python counts the dots of relative imports, from the file's folder.
    package = ("sweepconv", *path.parent.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else ()
            source = ".".join((*base, *(node.module or "").split("."))).rstrip(".")
            yield from (f"{source}.{alias.name}" for alias in node.names)


def inner(path: Path) -> set[str]:
    """Rooms of the package that a file imports from; "" stands for the package itself."""
    rooms = set().union(*FLOORS)
    found = set()
    for name in imports(path):
        first, *rest = name.split(".")
        if first == "sweepconv" and rest != ["__version__"]:
            found.add(rest[0] if rest and rest[0] in rooms else "")
    return found - {room(path)}


def floor(name: str) -> int:
    places = [i for i, names in enumerate(FLOORS) if name in names]
    assert places, f"{name} has no place in FLOORS"
    return places[0]


def test_every_module_imports_downward() -> None:
    assert modules()
    for path in modules():
        name = room(path)
        for other in inner(path):
            if other == "":  # the package as its users see it
                assert floor(name) >= floor("lab"), f"{path} imports the package that holds it"
                continue
            assert floor(other) <= floor(name), f"{path} imports {other}, which lies above it"
            assert other in ALLOWED.get(name, {other}), f"{path} may not import {other}"
            assert other not in COMPILED or other in ENGINE_CALLERS.get(name, set()), (
                f"{path} calls the compiled modules: not its business")


def test_no_circle_of_imports() -> None:
    arrows: dict[str, set[str]] = {}
    for path in modules():
        arrows.setdefault(room(path), set()).update(inner(path) - {""})
    while arrows:
        leaves = {name for name, others in arrows.items() if not others & arrows.keys()}
        assert leaves, f"these import each other: {sorted(arrows)}"
        arrows = {name: others for name, others in arrows.items() if name not in leaves}


def test_the_core_depends_on_numpy_alone() -> None:
    for path in modules():
        if room(path) in BEYOND_NUMPY:
            continue
        foreign = {name.split(".")[0] for name in imports(path)} - sys.stdlib_module_names
        assert foreign <= {"numpy", "sweepconv"}, f"{path} imports {foreign}"


def test_importing_the_package_loads_numpy_alone() -> None:
    code = """if True:
        import sys, numpy
        before = set(sys.modules)
        import sweepconv
        print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
    """
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True,
                            text=True).stdout.split()
    # Cython registers a module of its own, cython_runtime and the like, for each extension.
    foreign = {name for name in loaded if "cython" not in name} - sys.stdlib_module_names
    assert foreign <= {"numpy", "sweepconv"}


@pytest.mark.parametrize(("module", "needed"), [("torch", "PyTorch"), ("jax", "JAX"),
                                                ("dask", "Dask")])
def test_an_adapter_says_what_it_needs(module: str, needed: str) -> None:
    code = f"""if True:
        import sys
        sys.modules["{module}"] = None  # as if it were not installed
        import sweepconv
        assert "{module}" not in dir(sweepconv)
        try:
            sweepconv.{module}
        except ImportError as error:
            print(error)
    """
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True,
                          text=True).stdout
    assert said.startswith(f"sweepconv.{module} needs {needed}: pip install")


def test_the_package_itself_holds_names_only() -> None:
    """Imports, `__all__` and the like; a module-level `__getattr__` for what is loaded late."""
    head = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(head)
    for node in head.body[1:]:
        match node:
            case ast.Import() | ast.ImportFrom():
                continue
            case ast.FunctionDef(name="__getattr__" | "__dir__"):
                continue
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=[ast.ImportFrom()], orelse=[]):
                continue
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                assert name.startswith("_"), f"__init__ defines {name}"
            case _:
                pytest.fail(f"__init__.py, line {node.lineno}, is more than names")
    for name in sweepconv.__all__:
        assert hasattr(sweepconv, name), f"__all__ promises {name}"


def test_one_version() -> None:
    assert importlib.metadata.version("sweepconv") == sweepconv.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {sweepconv.__version__}" in changelog


def test_the_map_names_every_file() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = {f"{room(p)}{'/' if p.parent != PACKAGE else '.py'}" for p in modules()}
    names |= {p.name for p in kernel_files()}
    names |= {p.name for p in cython_files()}
    missing = {name for name in names if f"`{name}" not in text and f" {name}" not in text}
    assert not missing, f"CONTRIBUTING.md does not name {sorted(missing)}"


def test_kernels_know_neither_python_nor_threads_nor_geometry() -> None:
    names = {p.name for p in kernel_files()}
    assert "kernels.h" in names
    for path in kernel_files():
        code = C_COMMENT.sub(" ", path.read_text(encoding="utf-8"))
        for bracket, header in re.findall(r'#\s*include\s*([<"])([^>"]+)[>"]', code):
            if bracket == '"':
                assert header in names, f"{path} includes {header} from outside of ext/kernels"
            else:
                assert not re.match(r"(Python|omp|pthread|numpy/)", header), path
        found = NOT_IN_KERNELS.search(code)
        assert not found, f"{path} names {found.group()!r}"


def test_cython_names_no_instruction_set() -> None:
    assert cython_files()
    for path in cython_files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = INSTRUCTION_SETS.search(line.split("#")[0])
            assert not found, f"{path}, line {number}, names {found.group()!r}"


def test_cython_sees_one_header_and_no_python_module_of_ours() -> None:
    kernel_headers = {p.name for p in kernel_files()}
    for path in cython_files():
        code = path.read_text(encoding="utf-8")
        externs = set(re.findall(r"cdef extern from [\"']<?([^>\"']+)>?[\"']", code))
        assert externs & kernel_headers <= {"kernels.h"}, path
        assert not re.search(r"c?import\s+numpy|from\s+numpy", code), path  # buffers are enough
        # cimport among the compiled modules is sideways; import of a Python module goes up.
        upward = re.search(r"^\s*(from\s+(sweepconv|\.)\S*\s+import|import\s+sweepconv)", code,
                           re.MULTILINE)
        assert not upward, f"{path}: {upward.group().strip()!r}"
