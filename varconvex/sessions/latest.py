"""Answers to the newest state of a history, for many threads: the latest wins.

One lock guards the history. It is never held while something is computed, so that the history may change at any time;
what is computed for a state that has been left is interrupted.
"""

import threading
from collections.abc import Callable

from ..checks import heard_warnings
from ..errors import InvalidParameterError
from ..result import Segmentation
from ..threads import Interrupted, while_wanted
from .strokes import History, State

_REMEMBERED = 2**30
"""Bytes of former answers that are kept for undo."""

_LOOK = 0.5
"""Seconds between two looks while another thread computes; where a wait cannot be interrupted, Ctrl-C takes as long."""

Plan = Callable[[History], Callable[[], Segmentation] | None]
"""Called with the lock: reads the present state and returns what computes its answer without the lock, or None."""


class Latest:
    """A history with its lock, and the answers to its newest state.

    Attributes
    ----------
    changed : Condition
        The lock, held by whoever reads or changes `history`; notified of changes.
    cancels : int
        How often `cancel` was called: who asks for an answer says what it was when asking.
    """

    def __init__(self, history: History) -> None:
        self.history, self.changed, self.cancels = history, threading.Condition(), 0
        self._thread: int | None = None  # which computes an answer at present

    def cancel(self) -> None:
        """Interrupt what is being computed, and let all who wait for it go."""
        with self.changed:
            self.cancels += 1
            self.changed.notify_all()

    def wants(self, state: State, cancels: int) -> bool:
        """Whether the answer to this state is still of use to one who asked after so many cancels."""
        return self.history.state is state and self.cancels == cancels

    def answer(self, plan: Plan, cancels: int, only: State | None = None) -> Segmentation | None:
        """The answer to the newest state, computed in this thread unless another one does; one thread computes at once.

        None if there is none, if the newest is not `only`, or if there were other cancels.
        """
        while True:
            with self.changed:
                state = self.history.state
                if not self.wants(only or state, cancels):
                    return None
                if state.answer is not None:
                    return state.answer
                if self._thread is not None:
                    self._wait()
                    continue
                compute = plan(self.history)
                if compute is None:
                    return None
                self._thread = threading.get_ident()
            answer = None
            try:
                with heard_warnings() as texts:
                    answer = self._computed(compute, state, cancels)
            finally:
                with self.changed:
                    self._thread, state.answer = None, answer
                    state.warnings = tuple(dict.fromkeys(texts)) if answer is not None else ()
                    self.history.forget(_REMEMBERED)
                    self.changed.notify_all()

    def first_answer(self, plan: Plan, coarse: Plan, cancels: int) -> tuple[State, Segmentation | None]:
        """The newest state and its answer, or, where `coarse` has one, that: it is not remembered and waits for nobody.

        None as in `answer`.
        """
        while True:
            with self.changed:
                state = self.history.state
                compute = None if state.answer is not None else coarse(self.history)
            found = self._computed(compute, state, cancels) if compute else self.answer(plan, cancels, state)
            with self.changed:
                if found is not None or self.cancels != cancels or self.history.state is state:
                    return state, found

    def call_back(
        self, plan: Plan, state: State, cancels: int, callback: Callable[[Segmentation, int], object]
    ) -> None:
        """Pass the answer to a state, with the history's version, to a function, if it is of use until then."""
        answer = self.answer(plan, cancels, state)
        with self.changed:
            wanted, version = self.wants(state, cancels), self.history.version
        if answer is not None and wanted:
            callback(answer, version)

    def _computed(self, compute: Callable[[], Segmentation], state: State, cancels: int) -> Segmentation | None:
        """What is computed, or None once it is of no use any more."""
        try:
            with while_wanted(lambda: self.wants(state, cancels)):
                return compute()
        except Interrupted:
            return None

    def _wait(self) -> None:
        """Wait for the thread that computes an answer."""
        if self._thread == threading.get_ident():
            raise InvalidParameterError(
                "a callback must not ask for the result that it is called from; got such a call. Use what the callback "
                "is passed."
            )
        self.changed.wait(_LOOK)
