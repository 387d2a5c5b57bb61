"""The same learning curve, bit for bit, from loky's processes and from a Dask cluster."""

import doctest
from typing import Any

import learning_tasks as tasks  # of tests/, where its conftest.py puts it on the path
import pytest

import sweepconv as sc
from sweepconv.efficiency import JobError, LearningCurve, learning_curve

GIVEN: dict[str, Any] = {"families": ["dense", "conv"], "data": tasks.draw, "sizes": [20, 40],
                         "seeds": 2, "train": tasks.quick, "n_test": 200}


@pytest.fixture(scope="module")
def serial() -> LearningCurve:
    return learning_curve(**GIVEN)


def test_loky(serial: LearningCurve) -> None:
    loky = pytest.importorskip("loky")
    with loky.get_reusable_executor(max_workers=2) as pool:
        assert learning_curve(**GIVEN, executor=pool) == serial
        with pytest.raises(JobError, match=r"size=40.*ValueError: so it goes"):
            learning_curve(**GIVEN | {"train": tasks.stumbles}, executor=pool)


@pytest.fixture(scope="module")
def cluster() -> Any:
    distributed = pytest.importorskip("dask.distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0"
                                  ) as local:
        yield local


def test_a_dask_cluster(serial: LearningCurve, cluster: Any) -> None:
    with sc.dask.executor(cluster.scheduler_address) as pool:
        ended: list[Any] = []
        found = learning_curve(**GIVEN, executor=pool,
                               progress=lambda done, total, job: ended.append(job))
    assert found == serial
    assert len(ended) == found.accuracy.size


def test_a_run_that_fails_on_the_cluster_is_named(serial: LearningCurve, cluster: Any) -> None:
    with sc.dask.executor(cluster.scheduler_address) as pool:
        with pytest.raises(JobError, match=r"size=40.*ValueError: so it goes"):
            learning_curve(**GIVEN | {"train": tasks.stumbles}, executor=pool)
        assert learning_curve(**GIVEN, executor=pool) == serial  # the cluster goes on


def test_the_examples_run() -> None:
    pytest.importorskip("dask.distributed")
    result = doctest.testmod(sc.dask)
    assert (result.attempted, result.failed) == (1, 0)
