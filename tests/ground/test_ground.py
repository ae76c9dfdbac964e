import os

import numpy as np
import pytest

from combmesh.ground.errors import InputError, RunError
from combmesh.ground.parallel import map_batches
from combmesh.ground.provenance import parse_mark
from combmesh.ground.rng import stream


def square(n):
    return n * n


def die(n):
    os._exit(1)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize(("n", "batch"), [(0, 1), (1, 5), (41, 1), (41, 4), (200, 7)])
def test_exact_every_task_once(workers, n, batch):
    results = [value for some in map_batches(square, range(n), workers, batch) for value in some]
    assert sorted(results) == [k * k for k in range(n)]


def test_attack_a_worker_that_dies_is_a_sentence():
    with pytest.raises(RunError, match="worker process ended unexpectedly"):
        list(map_batches(die, range(4), 2, 1))


def test_exact_streams_depend_on_the_whole_address_only():
    one = stream(1, "a", "b", -3, 0).integers(2**62, size=4)
    assert np.array_equal(one, stream(1, "a", "b", -3, 0).integers(2**62, size=4))
    for other in (stream(2, "a", "b", -3, 0), stream(1, "a", "b", 3, 0), stream(1, "ab", "", -3, 0)):
        assert not np.array_equal(one, other.integers(2**62, size=4))


def test_limit_unknown_mark():
    assert parse_mark(" fitted : to Fig. 3h ").note == "to Fig. 3h"
    with pytest.raises(InputError, match="'measured'"):
        parse_mark("measured: yesterday")
