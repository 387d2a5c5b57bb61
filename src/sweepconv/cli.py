"""The command `sweepconv`.

Exit codes: 0 done, 1 an unexpected failure, 2 a request that cannot be met (one line on stderr
says why), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from . import __version__, show_config

Command: TypeAlias = "Callable[[argparse.Namespace], None]"


class RequestError(Exception):
    """What was asked for cannot be done; the message is for the user."""


def _at_least(least: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {value}")
        return value
    return whole_number


def _info(options: argparse.Namespace) -> None:
    config = show_config()
    if options.json:
        print(json.dumps(config, indent=2))
        return
    width = max(map(len, config))
    for key, value in config.items():
        shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        print(f"{key:{width}}  {shown}")


def _compare(options: argparse.Namespace) -> None:
    try:
        from .lab.command import compare
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in ("matplotlib", "rich"):
            raise RequestError(f"compare needs the package {error.name}; it comes with "
                               "`pip install sweepconv[lab]`") from None
        raise
    try:
        compare(data=options.data, target=options.target, quick=options.quick, seed=options.seed,
                seeds=options.seeds, out=options.out, n_threads=options.n_threads)
    except (ValueError, ImportError) as error:
        raise RequestError(error) from error


def _add_compare(commands: Any) -> None:
    p = commands.add_parser(
        "compare", help="dense, local, tiled and conv side by side on real data",
        description="Trains the same small network four times, with a dense, local, tile-shared "
                    "and convolutional first layer, and shows what sharing buys and costs: a "
                    "table, compare.json and the report compare.html.")
    p.add_argument("--data", default="mnist5k", metavar="mnist5k|digits|FILE.npz",
                   help="images to learn from; a file has arrays x and y (default: mnist5k)")
    p.add_argument("--target", metavar="CLASS|all",
                   help="tell this class from the rest, or all classes apart (default: 2; for a "
                        "file: all)")
    p.add_argument("--quick", action="store_true", help="a smaller run, within half a minute")
    p.add_argument("--seed", type=_at_least(0), default=0, metavar="N",
                   help="equal seeds give equal figures, timings aside (default: 0)")
    p.add_argument("--seeds", type=_at_least(1), default=3, metavar="N",
                   help="runs that the spread is taken over (default: 3)")
    p.add_argument("--out", default="report", metavar="DIR", help="folder to write to "
                   "(default: ./report)")
    p.add_argument("--n-threads", type=_at_least(1), metavar="N",
                   help="threads to use (default: what the machine grants)")
    p.set_defaults(run=_compare)


def _add_info(commands: Any) -> None:
    p = commands.add_parser("info", help="instruction set, threads and versions in use",
                            description="Shows what sweepconv runs on.")
    p.add_argument("--json", action="store_true", help="as JSON")
    p.set_defaults(run=_info)


def parser() -> argparse.ArgumentParser:
    """All commands; each `_add_...` above is one."""
    p = argparse.ArgumentParser(
        prog="sweepconv", description="Convolution, local connection and dense layers as one "
                                      "sweep with more and more sharing.")
    p.add_argument("--version", action="version", version=f"sweepconv {__version__}")
    commands = p.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_compare, _add_info):
        add(commands)
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    run: Command = options.run
    try:
        run(options)
    except RequestError as error:
        print(f"sweepconv: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sweepconv: stopped", file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        return 1
    return 0
