"""Signals that libraries lose or disguise on their way, as they sometimes do."""

import signal
import sys
from contextlib import suppress

import pytest

from varconvex.batch.workers import attempt
from varconvex.signals import ctrl_c_as_ever, ended_by_signals, ended_by_sigterm
from varconvex.threads import checkpoint

BOTH = pytest.mark.parametrize(
    ("number", "ending"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)], ids=["SIGINT", "SIGTERM"]
)


@pytest.fixture(autouse=True)
def handlers():
    """Those that a program starts with; a process in a shell's background ignores Ctrl-C."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler), signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), former, strict=True):
        signal.signal(number, handler)


def lost(number):
    """As if the signal came in a destructor, whose exceptions Python only prints."""
    with suppress(KeyboardInterrupt, SystemExit):
        signal.raise_signal(number)


def disguised(number):
    """As Python 3.11 does with what is raised while it makes a class."""
    try:
        signal.raise_signal(number)
    except (KeyboardInterrupt, SystemExit) as error:
        raise RuntimeError("Error calling __set_name__") from error


@BOTH
@pytest.mark.parametrize("way", [signal.raise_signal, disguised], ids=["as it is", "disguised"])
def test_a_signal_ends_what_is_being_done(number, ending, way):
    with pytest.raises(ending), ended_by_signals():
        way(number)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@BOTH
def test_a_lost_signal_ends_the_work_at_the_next_checkpoint(number, ending):
    reached = []

    def work():
        lost(number)
        reached.append("the signal")
        checkpoint()
        reached.append("the checkpoint")

    with pytest.raises(ending), ended_by_signals():
        work()
    assert reached == ["the signal"]


@BOTH
@pytest.mark.parametrize("way", [lost, disguised])
def test_a_signal_is_no_failure_of_a_batch_s_image(number, ending, way):
    def segment(number):
        way(number)
        checkpoint()

    with pytest.raises(ending), ended_by_signals():
        attempt(segment, number)


def test_a_lost_signal_is_not_printed(capsys, monkeypatch):
    class Lasting:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)  # in place of the tests' own
    hooks = sys.excepthook, sys.unraisablehook
    with ended_by_signals():
        Lasting()
    assert not capsys.readouterr().err
    assert (sys.excepthook, sys.unraisablehook) == hooks


def test_an_error_without_a_signal_stays_what_it_is():
    with pytest.raises(ZeroDivisionError), ended_by_signals():
        raise ZeroDivisionError


def test_who_takes_ctrl_c_as_an_answer_goes_on():
    with ended_by_signals():
        with ctrl_c_as_ever():
            lost(signal.SIGINT)
        checkpoint()


def test_ctrl_c_stays_ignored_in_a_shell_s_background():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ended_by_signals(), ctrl_c_as_ever():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_sigterm_is_status_143():
    with pytest.raises(SystemExit) as caught, ended_by_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 143
