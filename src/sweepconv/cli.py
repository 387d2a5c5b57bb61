"""The command `sweepconv`.

Exit codes: 0 done, 1 an unexpected failure or a regression found, 2 a request that cannot be met
(one line on stderr says why), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from . import __version__, show_config

Command: TypeAlias = "Callable[[argparse.Namespace], int | None]"  # None is 0


class RequestError(Exception):
    """What was asked for cannot be done; the message is for the user."""


def _at_least(least: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {value}")
        return value
    return whole_number


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text}")
    return value


def _info(options: argparse.Namespace) -> None:
    config = show_config()
    if options.json:
        print(json.dumps(config, indent=2))
        return
    width = max(map(len, config))
    for key, value in config.items():
        shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        print(f"{key:{width}}  {shown}")


@contextmanager
def _needs(command: str, extra: str) -> Iterator[None]:
    """Says which extra brings a package that is missing inside."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in ("matplotlib", "rich"):
            raise RequestError(f"{command} needs the package {error.name}; it comes with "
                               f"`pip install sweepconv[{extra}]`") from None
        raise


def _compare(options: argparse.Namespace) -> None:
    try:
        with _needs("compare", "lab"):
            from .lab.command import compare

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


def _whole_numbers(text: str) -> int | tuple[int, ...]:
    """An int, or one per axis with commas between."""
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be an int, or ints with commas between, got {text!r}") from None
    return values[0] if len(values) == 1 else values


def _padding(text: str) -> int | str | tuple[int, ...]:
    return text if text.isidentifier() else _whole_numbers(text)


def _cost(options: argparse.Namespace) -> None:
    from .sharing import compare

    size = (options.input,) if isinstance(options.input, int) else options.input
    try:
        shown = compare(size, options.out, options.kernel, stride=options.stride,
                        padding=options.padding, dilation=options.dilation, groups=options.groups,
                        padding_mode=options.padding_mode, period=options.period,
                        bias=not options.no_bias, dtype=options.dtype)
    except (ValueError, TypeError) as error:
        raise RequestError(error) from error
    print(shown.json() if options.json else shown.markdown() if options.markdown else shown)


def _add_cost(commands: Any) -> None:
    p = commands.add_parser(
        "cost", help="what one layer stores and computes as dense, local, tiled and conv",
        description="Counts parameters, their uses, multiply-adds and bytes of one layer in each "
                    "family, in exact integers for one image. Nothing is computed, so no layer is "
                    "too large.")
    p.add_argument("--input", type=_whole_numbers, required=True, metavar="C,H,W",
                   help="the image: channels, then 1, 2 or 3 spatial axes")
    p.add_argument("--out", type=_at_least(1), required=True, metavar="O", help="output channels")
    p.add_argument("--kernel", type=_whole_numbers, required=True, metavar="K",
                   help="as all that follow: an int, or one per axis as in 3,5")
    p.add_argument("--stride", type=_whole_numbers, default=1, metavar="S", help="default: 1")
    p.add_argument("--padding", type=_padding, default=0, metavar="P|same|full|...",
                   help="default: 0")
    p.add_argument("--dilation", type=_whole_numbers, default=1, metavar="D", help="default: 1")
    p.add_argument("--groups", type=_at_least(1), default=1, metavar="G", help="default: 1")
    p.add_argument("--padding-mode", default="zeros", metavar="MODE",
                   help="zeros, reflect, symmetric, replicate or circular (default: zeros)")
    p.add_argument("--period", type=_whole_numbers, default=2, metavar="N",
                   help="of tiled (default: 2)")
    p.add_argument("--no-bias", action="store_true", help="weights alone")
    p.add_argument("--dtype", default="float32", choices=("float32", "float64"),
                   help="default: float32")
    how = p.add_mutually_exclusive_group()
    how.add_argument("--markdown", action="store_true", help="as a Markdown table")
    how.add_argument("--json", action="store_true", help="as JSON")
    p.set_defaults(run=_cost)


def _bench(options: argparse.Namespace) -> None:
    try:
        with _needs("bench", "bench"):
            from .bench.command import bench

            bench(listing=options.list, suites=options.suite, match=options.match,
                  directions=options.dir, dtypes=options.dtype, peers=options.peers,
                  n_threads=options.threads, isa=options.isa, quick=options.quick,
                  every=options.every, budget=options.budget, timeout=options.timeout,
                  out=options.out, json_file=options.json, html_file=options.html)
    except ValueError as error:
        raise RequestError(error) from error


def _bench_diff(options: argparse.Namespace) -> int:
    try:
        with _needs("bench diff", "bench"):
            from .bench.command import bench_diff

            return bench_diff(options.before, options.after, options.tolerance / 100)
    except ValueError as error:
        raise RequestError(error) from error


def _add_bench(commands: Any) -> None:
    p = commands.add_parser(
        "bench", help="this library against every installed peer, checked before it is timed",
        description="Times published layers on this library and on every installed peer, each in "
                    "a process of its own, in interleaved rounds. Prints a table, losing rows "
                    "first. `sweepconv bench diff A.json B.json` compares two runs.")
    p.add_argument("--suite", metavar="A,B", help="only these suites of layers")
    p.add_argument("--match", default="", metavar="REGEX",
                   help="only rows whose suite/layer this is found in")
    p.add_argument("--dir", default="f,i,w", metavar="f,i,w",
                   help="forward, input gradient, weight gradient (default: all)")
    p.add_argument("--dtype", default="float32", metavar="float32,float64",
                   help="default: float32")
    p.add_argument("--peers", metavar="A,B", help="only these peers: numpy, torch, onnxruntime, "
                   "openvino, jax, scipy, opencv (default: all that are installed)")
    p.add_argument("--threads", type=_at_least(1), metavar="N",
                   help="of each process (default: what the machine grants)")
    p.add_argument("--isa", metavar="NAME", help="instruction set of this library "
                   "(default: the best; see sweepconv info)")
    p.add_argument("--quick", action="store_true", help="a few small rows, less time for each")
    p.add_argument("--every", type=_at_least(1), default=1, metavar="N",
                   help="only each Nth of the layers chosen")
    p.add_argument("--budget", type=_positive, metavar="SECONDS",
                   help="about how long an entry is timed (default: 0.4, quick: 0.1)")
    p.add_argument("--timeout", type=_positive, default=30, metavar="SECONDS",
                   help="the longest to wait for a peer to make and check one entry "
                   "(default: 30; less where ours is quick)")
    p.add_argument("--list", action="store_true", help="print the rows chosen, and stop")
    p.add_argument("--json", metavar="FILE", help="write all figures there")
    p.add_argument("--html", metavar="FILE", help="write a report with plots there")
    p.add_argument("--out", metavar="DIR", help="write both, as bench.json and bench.html")
    p.set_defaults(run=_bench)
    more = p.add_subparsers(metavar="", title="compare two runs").add_parser(
        "diff", help="A.json B.json: rows whose time changed, regressions first",
        description="Compares two results of one machine. Exit code 1 if a row is slower by "
                    "more than the tolerance and the noise.")
    more.add_argument("before", metavar="A.json")
    more.add_argument("after", metavar="B.json")
    more.add_argument("--tolerance", type=_positive, default=10, metavar="PERCENT",
                      help="default: 10")
    more.set_defaults(run=_bench_diff)


def _explore(options: argparse.Namespace) -> None:
    from .explore.command import explore

    try:
        explore(out=options.out, digits=options.digits, show=options.open)
    except ValueError as error:
        raise RequestError(error) from error


def _add_explore(commands: Any) -> None:
    p = commands.add_parser(
        "explore", help="a page on which a digit is moved and the map seen to follow",
        description="Writes one HTML file that needs nothing else: draw or move a digit, sweep a "
                    "weak filter over it, and see what stride, padding and pooling break.")
    p.add_argument("--out", default="explore.html", metavar="FILE",
                   help="file to write (default: ./explore.html)")
    p.add_argument("--open", action="store_true", help="open it in the browser")
    p.add_argument("--digits", type=_at_least(0), default=10, metavar="N",
                   help="handwritten digits to put in, at most 300; they need the extra lab "
                        "(default: 10)")
    p.set_defaults(run=_explore)


def _reproduce(options: argparse.Namespace) -> None:
    try:
        with _needs("reproduce", "lab"):
            from .reproduce.command import reproduce

        reproduce(options.ids, quick=options.quick, seeds=options.seeds, out=options.out,
                  as_json=options.json, n_threads=options.n_threads, listing=options.list)
    except (ValueError, ImportError) as error:
        raise RequestError(error) from error


def _add_reproduce(commands: Any) -> None:
    p = commands.add_parser(
        "reproduce", help="published results beside ours, one id each",
        description="Runs published experiments again and shows what was published beside what "
                    "came out, with the spread over seeds and whether the mean lies in its band: "
                    "a table, reproduce.json and the report reproduce.html.")
    p.add_argument("ids", nargs="*", metavar="ID", help="what to run (default: all; see --list)")
    p.add_argument("--list", action="store_true", help="print the ids, and stop")
    p.add_argument("--quick", action="store_true",
                   help="fewer seeds and steps, with wider bands: a minute or two for all")
    p.add_argument("--seeds", type=_at_least(1), metavar="N",
                   help="runs that mean and spread are taken over (default: as each id says)")
    p.add_argument("--out", default="report", metavar="DIR",
                   help="folder to write to (default: ./report)")
    p.add_argument("--json", action="store_true", help="print JSON in the place of the table")
    p.add_argument("--n-threads", type=_at_least(1), metavar="N",
                   help="processes to run side by side, each with one thread "
                        "(default: what the machine grants)")
    p.set_defaults(run=_reproduce)


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
    for add in (_add_compare, _add_explore, _add_reproduce, _add_cost, _add_bench, _add_info):
        add(commands)
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    run: Command = options.run
    try:
        return run(options) or 0
    except RequestError as error:
        print(f"sweepconv: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sweepconv: stopped", file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        return 1
