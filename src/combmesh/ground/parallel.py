"""Many tasks on the processors of this machine; the result does not depend on how many."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.context import ForkServerContext
from typing import TypeVar

from combmesh.ground.errors import RunError

LONGEST_END_S = 5.0

_STOPS = (signal.SIGINT, signal.SIGTERM)

T = TypeVar("T")
R = TypeVar("R")


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def map_batches(function: Callable[[T], R], tasks: Sequence[T], workers: int, batch: int) -> Iterator[list[R]]:
    """The results of `function` over `tasks`, a list for each batch, in the order in which batches end.

    With one worker nothing leaves this process. At most two batches for each worker are under way, so that memory
    does not grow with the number of tasks. Leaving the iterator early stops the workers.
    """
    batches = [tasks[i : i + batch] for i in range(0, len(tasks), batch)]
    if workers == 1 or len(batches) <= 1:
        for some in batches:
            yield _run(function, some)
        return
    context = get_context("forkserver")
    context.set_forkserver_preload([_module_of(function)])  # imported once, its pages shared by all workers
    yield from _in_pool(context, 1, function, batches[:1])  # compiles the kernels, and takes the memory of that with it
    yield from _in_pool(context, workers, function, batches[1:])


def _in_pool(
    context: ForkServerContext, workers: int, function: Callable[[T], R], batches: Sequence[Sequence[T]]
) -> Iterator[list[R]]:
    pool = ProcessPoolExecutor(workers, context, _prepare_worker)
    running: set[Future[list[R]]] = set()
    ahead = iter(batches)
    try:
        with _held_back():
            running |= {pool.submit(_run, function, some) for some in islice(ahead, 2 * workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                with _held_back():
                    running |= {pool.submit(_run, function, some) for some in islice(ahead, 1)}
                yield future.result()
    except BrokenProcessPool as error:
        raise RunError("A worker process ended unexpectedly, perhaps for want of memory.") from error
    finally:
        _stop(pool)


@contextmanager
def _held_back() -> Iterator[None]:
    """Keep Ctrl-C and SIGTERM waiting while processes start: one that is half started would end with a traceback."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    usual = {stop: signal.signal(stop, lambda number, _: waiting.append(number)) for stop in _STOPS}
    try:
        yield
    finally:
        for stop, handler in usual.items():
            signal.signal(stop, handler)
        for number in waiting:
            signal.raise_signal(number)


def _module_of(function: Callable[[T], R]) -> str:
    inner = function.func if isinstance(function, partial) else function
    return str(inner.__module__)


def _run(function: Callable[[T], R], tasks: Sequence[T]) -> list[R]:
    return [function(task) for task in tasks]


def _prepare_worker() -> None:
    """A worker leaves Ctrl-C to its parent, and ends when the parent is gone, however that died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _stop(pool: ProcessPoolExecutor) -> None:
    workers = list((pool._processes or {}).values())
    manager = getattr(pool, "_executor_manager_thread", None)
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()
    for worker in workers:  # before anything that they start with is taken away
        worker.join()
    if manager is not None:  # or it closes its pipe while the interpreter's end writes into it
        manager.join(LONGEST_END_S)
