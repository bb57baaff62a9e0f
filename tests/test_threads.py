"""Threads: results in order, and nothing left running after an error."""

import threading
import time

import pytest

from varconvex._threads import n_threads, run


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
