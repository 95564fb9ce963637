"""A circuit breaker: what is down is not asked over and over, but by one call now and then, until it answers again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

_FAILURES = 3
_OUTAGE_SECONDS = 0.5
_REST_SECONDS = 2.0


class _Attempt:
    """One call that is under way."""

    def __init__(self, begun: float) -> None:
        self.begun = begun


class Breaker:
    """Decides whether to ask, from what became of earlier calls. All in one thread; times are seconds of a monotonic clock.

    Closed, it lets everybody ask. It opens when `failures` calls in a row have failed and nothing has been answered for `outage` seconds:
    one request that is lost, and with it everybody whose part it carried, does not open it. Open, it lets nobody ask for `rest` seconds,
    and then one: that one's answer closes it, and its failure is another rest. (Half-open is what others call that moment.)
    """

    def __init__(
        self,
        down: type[Exception],
        *,
        changed: Callable[[bool], None] = lambda _: None,
        clock: Callable[[], float] = monotonic,
        failures: int = _FAILURES,
        outage: float = _OUTAGE_SECONDS,
        rest: float = _REST_SECONDS,
    ) -> None:
        """Closed.

        Args:
            down: the error that counts as a failure. Any other is an answer.
            changed: told True when it opens, False when it closes.
            clock: the time.
            failures: see above, as the others.
            outage: seconds.
            rest: seconds.
        """
        self._down = down
        self._changed = changed
        self._clock = clock
        self._least = failures
        self._outage = outage
        self._rest = rest
        self._failures = 0
        self._silent_since = 0.0
        self._answered_at = clock()
        self._rests_until: float | None = None
        self._probe: _Attempt | None = None

    @property
    def is_open(self) -> bool:
        """Whether what is asked is taken to be down."""
        return self._rests_until is not None

    def wait(self) -> float:
        """Seconds until it makes sense to ask; 0 if this caller may, now, in an `attempt`."""
        if self._rests_until is None:
            return 0.0
        if self._probe is not None:
            return self._rest  # if the one that asks now fails
        return max(0.0, self._rests_until - self._clock())

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around a call that `wait` has allowed, with nothing awaited between the two: learns from what becomes of it."""
        attempt = _Attempt(self._clock())
        if self._rests_until is not None:
            self._probe = attempt
        try:
            yield
        except self._down:
            self._failed(attempt)
            raise
        except Exception:
            self._answered(attempt)
            raise
        except BaseException:
            self._over(attempt)  # cancelled: nobody knows what would have become of it
            raise
        else:
            self._answered(attempt)

    def _failed(self, attempt: _Attempt) -> None:
        now = self._clock()
        probed = attempt is self._probe
        self._over(attempt)  # an answer to an older call may have closed it meanwhile: the next time it opens, another one probes
        if self._rests_until is not None:
            if probed:
                self._rests_until = now + self._rest
            return
        begun = max(attempt.begun, self._answered_at)
        self._silent_since = min(self._silent_since, begun) if self._failures else begun
        self._failures += 1
        if self._failures >= self._least and now - self._silent_since >= self._outage:
            self._rests_until = now + self._rest
            self._changed(True)

    def _answered(self, attempt: _Attempt) -> None:
        self._over(attempt)
        self._failures = 0
        self._answered_at = self._clock()
        if self._rests_until is not None:
            self._rests_until = None
            self._changed(False)

    def _over(self, attempt: _Attempt) -> None:
        if attempt is self._probe:
            self._probe = None
