"""Threads: results in order, and nothing left running after an error."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from varconvex import TwoPhase, pdhg, threads
from varconvex.threads import Interrupted, checkpoint, in_time, n_threads, run, while_wanted


def test_results_come_in_order():
    assert run(lambda x: x * x, [(k,) for k in range(20)]) == [k * k for k in range(20)]
    assert run(lambda: threading.current_thread(), [()]) == [threading.main_thread()]
    assert n_threads() >= 1


def test_an_error_drops_what_has_not_begun():
    begun = []

    def work(k):
        begun.append(k)
        if k == 0:
            raise KeyboardInterrupt
        time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        run(work, [(k,) for k in range(200)])
    time.sleep(0.05)
    assert len(begun) < 100


def test_calls_within_calls_end_however_many_call():
    done = []

    def inner(x):
        time.sleep(0.01)
        return 2 * x

    def outer(x):
        return run(inner, [(x,), (x + 1,)])

    callers = [
        threading.Thread(target=lambda: done.append(run(outer, [(0,), (1,), (2,)])), daemon=True) for _ in range(6)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert done == [[[0, 2], [2, 4], [4, 6]]] * 6


def test_a_call_may_wait_for_those_behind_it_however_many_call():
    ready = [[threading.Event() for _ in range(4)] for _ in range(6)]
    done = []

    def link(caller, k):
        assert k == 3 or ready[caller][k + 1].wait(20)
        ready[caller][k].set()
        return k

    def chain(caller):
        done.append(run(link, [(caller, k) for k in range(4)]))

    callers = [threading.Thread(target=chain, args=(k,), daemon=True) for k in range(5)]
    for caller in callers:
        caller.start()
    run(chain, [(5,)])
    for caller in callers:
        caller.join(20)
    assert done == [[0, 1, 2, 3]] * 6


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs two processors, and Linux"
)
def test_threads_leave_the_callers_processor_to_it():
    run(time.sleep, [(0.01,)] * 3)
    allowed = os.sched_getaffinity(0)
    try:
        for cpu in sorted(allowed)[:2]:
            os.sched_setaffinity(0, {cpu})
            os.sched_setaffinity(0, allowed)
            before = threads._processor()
            allowed_to = run(lambda: (time.sleep(0.02), os.sched_getaffinity(0))[1], [()] * 2)
            if threads._processor() == before:  # the caller was not moved meanwhile
                assert allowed_to == [allowed, allowed - {before}]
    finally:
        os.sched_setaffinity(0, allowed)


ALONE = """
import threading, numpy as np
from varconvex import TwoPhase, pdhg
cost = np.random.default_rng(0).normal(size=(150, 160)).astype(np.float32)
first = pdhg(TwoPhase(cost, 1.0)).u
found = []
def work():
    for _ in range({solves}):
        found.append(bool((pdhg(TwoPhase(cost, 1.0)).u == first).all()))
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(found), all(found))
"""


@pytest.mark.parametrize("layer", ["workqueue", "omp"])
@pytest.mark.parametrize("solves", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_eight_callers_on_any_threading_layer_get_the_same_answer(layer, solves):
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer, "OMP_WAIT_POLICY": "passive"}
    program = ALONE.format(solves=solves)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, f"{8 * solves} True"), done.stderr


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals between threads")
def test_an_interrupt_is_heard_in_half_a_second_and_the_next_call_works():
    energy = TwoPhase(np.random.default_rng(0).normal(size=(2048, 2048)).astype(np.float32), 30.0)
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    # A process begun in the background ignores Ctrl-C, and Python then leaves it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(1.0, interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            pdhg(energy, tol=0, max_iter=10**6, time_limit=30)
    finally:
        signal.signal(signal.SIGINT, before)
    heard = time.perf_counter()
    assert heard - sent[0] < 0.5
    assert pdhg(TwoPhase(np.ones((70, 70)), 1.0)).converged


def test_work_that_is_not_wanted_stops_among_its_calls():
    wanted, begun = threading.Event(), []
    wanted.set()

    def work(k):
        begun.append(k)
        if len(begun) == 4:
            wanted.clear()
        time.sleep(0.01)

    with pytest.raises(Interrupted), while_wanted(wanted.is_set):
        run(work, [(k,) for k in range(400)])
    time.sleep(0.05)
    assert len(begun) < 40
    checkpoint()  # outside of it everything is wanted


def test_what_is_not_done_in_time_is_given_up():
    def work(seconds):
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            time.sleep(0.002)
            checkpoint()
        return "done"

    begin = time.perf_counter()
    assert in_time(lambda: work(10), begin + 0.05) is None
    assert time.perf_counter() - begin < 1
    assert in_time(lambda: work(0.01), time.perf_counter() + 10) == "done"


def test_an_inner_deadline_does_not_hide_what_an_outer_one_stops():
    with pytest.raises(Interrupted), while_wanted(lambda: False):
        in_time(checkpoint, time.perf_counter() + 10)
    with pytest.raises(TimeoutError, match="of its own"), while_wanted(lambda: True):
        run(_timeout, [(k,) for k in range(8)])


def _timeout(k):
    if k == 5:
        raise TimeoutError("of its own")
