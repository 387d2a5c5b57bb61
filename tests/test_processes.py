"""Forks, many threads of Python, Ctrl-C, and what decides the number of threads.

Each runs in a process of its own, so that nothing that this one did before plays a part.
"""

import os
from typing import Any

import pytest
from support import child

PROBLEM = """
import json, multiprocessing, os, signal, subprocess, sys, threading, time
import numpy as np
import sweepconv as sc

rng = np.random.default_rng(0)
x = rng.standard_normal((4, 16, 32, 32), np.float32)
w = rng.standard_normal((24, 16, 3, 3), np.float32)
dy = rng.standard_normal((4, 24, 32, 32), np.float32)
VERBS = [
    lambda n: sc.conv(x, w, padding=1, n_threads=n),
    lambda n: sc.conv_input_grad(dy, w, x.shape, padding=1, n_threads=n),
    lambda n: sc.conv_weight_grad(x, dy, w.shape, padding=1, n_threads=n),
    lambda n: sc.tiled_conv(x, np.broadcast_to(w, (2, 2, *w.shape)), padding=1, n_threads=n),
    lambda n: sc.max_pool(x, 3, padding=1, n_threads=n),
    lambda n: sc.avg_pool_input_grad(x, x.shape, 3, stride=1, padding=1, n_threads=n),
]

def bits(n=2):
    return [verb(n).tobytes() for verb in VERBS]

right = bits(1)
"""

FORK = PROBLEM + """
def forked(work):
    "Exit status of a fork that does `work`, which must end in 5 s."
    pid = os.fork()
    if not pid:
        signal.alarm(5)
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def test_a_forked_child_sweeps() -> None:
    """Ten times, from a parent whose threads have run; the parent goes on as before."""
    assert child(FORK + """
statuses = []
for _ in range(10):
    parent = bits() == right
    statuses.append(forked(lambda: bits() == right and sc.show_config()["forked_serial"]))
    statuses.append(0 if parent and bits() == right else 3)
print(json.dumps([statuses, sc.show_config()["forked_serial"]]))
""") == [[0] * 20, False]


def test_nested_forks() -> None:
    assert child(FORK + """
def grandchild():
    return bits() == right and forked(lambda: bits() == right) == 0 and bits() == right

assert bits() == right
print(json.dumps([forked(grandchild) for _ in range(3)]))
""") == [0] * 3


def test_a_fork_while_another_thread_sweeps() -> None:
    assert child(FORK + """
stop = threading.Event()

def sweeping():
    while not stop.is_set():
        bits()

thread = threading.Thread(target=sweeping)
thread.start()
statuses = [forked(lambda: bits() == right) for _ in range(10)]
stop.set()
thread.join()
print(json.dumps(statuses))
""") == [0] * 10


def test_a_pool_of_forks() -> None:
    assert child(FORK + """
def job(i):
    signal.alarm(10)
    return bits() == right

assert bits() == right
with multiprocessing.get_context("fork").Pool(3) as pool:
    results = pool.map(job, range(9), chunksize=1)
print(json.dumps(results + [bits() == right]))
""") == [True] * 10


def test_a_fork_that_starts_anew_has_its_threads() -> None:
    """Exec ends what the fork began."""
    assert child(FORK + """
code = "import sweepconv as sc; raise SystemExit(sc.show_config()['forked_serial'])"
bits()
print(json.dumps(subprocess.run([sys.executable, "-c", code]).returncode))
""") == 0


def test_many_python_threads() -> None:
    """Eight at once, each with threads of its own, on shared operands."""
    assert child(PROBLEM + """
wrong = []
start = threading.Barrier(8)

def many(i):
    start.wait()
    for k in range(8):
        if bits(1 + (i + k) % 3) != right:
            wrong.append((i, k))

threads = [threading.Thread(target=many, args=(i,)) for i in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(wrong))
""") == []


def test_threads_of_one_python_thread_are_not_anothers() -> None:
    """`threads(n)` holds for the thread of Python that says it."""
    assert child(PROBLEM + """
seen = []

def look():
    seen.append(sc.show_config()["threads"])

with sc.threads(3):
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    look()
    with sc.threads(5):
        look()
    look()
look()
print(json.dumps(seen))
""", environment={"OMP_NUM_THREADS": "1"}) == [1, 3, 5, 3, 1]


# Ctrl-C: a child sends itself the signal from a shell, since its own Python may be busy.

INTERRUPT = PROBLEM + """
def interrupted(work, after):
    "Whether `work` raised KeyboardInterrupt, and how long after the signal."
    killer = subprocess.Popen(["sh", "-c", f"sleep {after}; kill -INT {os.getpid()}"])
    began = time.perf_counter()
    try:
        work()
    except KeyboardInterrupt:
        return [True, time.perf_counter() - began - after]
    finally:
        killer.wait()
    return [False, time.perf_counter() - began]

signal.signal(signal.SIGINT, signal.default_int_handler)
"""

# Operands without memory of their own; work for many seconds.
LONG: dict[str, str] = {
    "conv": "sc.conv(image(96, 512, 130, 130), filters(512, 512, 3, 3))",
    "conv_input_grad": "sc.conv_input_grad(image(96, 512, 128, 128), filters(512, 512, 3, 3), "
                       "(96, 512, 130, 130))",
    "conv_weight_grad": "sc.conv_weight_grad(image(240, 512, 130, 130), image(240, 512, 128, 128), "
                        "(512, 512, 3, 3))",
    "tiled_conv": "sc.tiled_conv(image(96, 512, 130, 130), filters(2, 2, 512, 512, 3, 3))",
    "local_conv": "sc.local_conv(image(80, 1024, 34, 34), filters(32, 32, 64, 1024, 3, 3))",
    "local_conv_input_grad": "sc.local_conv_input_grad(image(80, 512, 32, 32), "
                             "filters(32, 32, 512, 128, 3, 3), (80, 128, 34, 34))",
    "local_conv_weight_grad": "sc.local_conv_weight_grad(image(4000, 32, 34, 34), "
                              "image(4000, 64, 32, 32), (32, 32, 64, 32, 3, 3))",
    "dense": "sc.dense(image(8192, 16384), filters(16384, 16384))",
}


@pytest.mark.parametrize("verb", LONG)
def test_ctrl_c_in_one_long_call(verb: str) -> None:
    """It ends within a second of the signal, and the next call is right."""
    was, late, after = child(INTERRUPT + f"""
def image(*shape):
    return np.broadcast_to(np.float32(1), shape)

filters = image
result = interrupted(lambda: {LONG[verb]}, 0.5)
print(json.dumps(result + [bits() == right]))
""", timeout=120)
    assert after, "the next call"
    assert was, f"the call ended by itself, after {late:.1f} s"
    assert late < 1.0


def test_ctrl_c_in_a_loop_of_short_calls() -> None:
    assert child(INTERRUPT + """
def loop():
    end = time.perf_counter() + 20
    while time.perf_counter() < end:
        bits()

results = [interrupted(loop, 0.3) for _ in range(3)]
print(json.dumps([was and late < 1 for was, late in results] + [bits() == right]))
""") == [True] * 4


def test_a_signal_handler_that_returns_changes_nothing() -> None:
    """A handler may run in the middle of a call; the call goes on."""
    assert child(INTERRUPT + """
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
y = sc.conv(np.broadcast_to(x[:1], (400, 16, 32, 32)), w, padding=1)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
same = all((sc.conv(np.broadcast_to(x[:1], (400, 16, 32, 32)), w, padding=1) == y).all()
           for _ in range(5))
signal.setitimer(signal.ITIMER_REAL, 0)
print(json.dumps([bool(same), bool(seen)]))
""") == [True, True]


# Number of threads


CPUS = len(os.sched_getaffinity(0))
ONE = f"os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})"


def granted(first: str = "", **environment: str) -> Any:
    """Threads that a process gets which does `first`, and those inside of threads(6)."""
    return child(f"""
import json, os
{first}
import sweepconv as sc
seen = [sc.show_config()["threads"]]
with sc.threads(6):
    seen.append(sc.show_config()["threads"])
print(json.dumps(seen))
""", environment=environment)


def test_number_of_threads() -> None:
    free, _ = granted()
    assert 1 <= free <= CPUS
    for name, threads in (("1", 1), (" 1,4", 1), (str(CPUS + 50), free), ("0", free),
                          ("many", free), ("-2", free), ("", free)):
        assert granted(OMP_NUM_THREADS=name) == [threads, 6], name
    assert granted(ONE) == [1, 6]
    assert granted(ONE, OMP_NUM_THREADS=str(CPUS)) == [1, 6]


def test_affinity_that_changes_later() -> None:
    assert child(f"""
import json, os
import sweepconv as sc
sc.conv([[[1.0]]], [[[1.0]]])
{ONE}
print(json.dumps(sc.show_config()["threads"]))
""") == 1


def test_more_threads_than_processors() -> None:
    """The result is right, and soon."""
    assert child(PROBLEM + "print(json.dumps([bits(n) == right for n in (7, 64, 500)]))") == [
        True] * 3
