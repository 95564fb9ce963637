"""The Faust application of a worker: the hot path, a watch over the dead letters, and timers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import faust
import structlog
from mode import ServiceT

from services.errors import SettingsError
from services.settings import Settings
from services.worker.hot_path import HotPath
from streams.dead_letters import Reason
from streams.errors import StreamsError
from streams.event_log import DEAD_LETTERS
from streams.log_kafka import KafkaConnection
from streams.log_kafka.names import Names
from streams.metrics import DEAD_LETTERS_SEEN

_log = structlog.get_logger(__name__)
_LAG_SECONDS: Final = 15.0
_LETTERS: Final = 1000
_REASONS: Final = frozenset(Reason)
_WITHIN_SECONDS: Final = 5.0
_SESSION_SECONDS: Final = 10.0
"""After how long Faust's group goes on without a worker that has died; its default is a minute."""


def application(settings: Settings) -> tuple[faust.App, HotPath]:
    """The application, not started, and its hot path.

    Raises:
        SettingsError: TENANTRY_LOG_URL does not name a Kafka.
    """
    try:
        connection = KafkaConnection.from_url(settings.log_url, settings.secret("kafka_password"))
    except ValueError as error:
        raise SettingsError(f"TENANTRY_LOG_URL: {error}; a worker follows Kafka, while `tenantry serve` does it all alone") from error
    names = Names(connection.prefix)
    app = _Application(
        names.group("worker"),
        broker=[f"kafka://{server}" for server in connection.servers],
        broker_credentials=_credentials(connection),
        store="memory://",
        datadir=settings.data / "faust",  # where it makes folders, though it keeps nothing in them
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,  # the log makes its topics
        autodiscover=False,
        producer_acks=-1,
        broker_session_timeout=_SESSION_SECONDS,
    )
    hot_path = app.hot_path = HotPath(settings, loop=app.loop, beacon=app.beacon)
    _watch_dead_letters(app, names.topic(DEAD_LETTERS))
    _measure_lag(app, hot_path)
    return app, hot_path


class _Application(faust.App):
    """Starts the hot path without waiting for Faust's own group, whose rebalance waits for members that have died, and stops it first."""

    hot_path: HotPath

    def on_init_dependencies(self) -> Iterable[ServiceT]:
        """What is started in this order, and stopped in the other."""
        return [*super().on_init_dependencies(), self.hot_path]

    async def on_stop(self) -> None:
        """Drains before Faust does anything: its own end can hang after Kafka was away, and would hold up the drain."""
        try:
            await self.hot_path.stop()
        finally:
            await super().on_stop()


def _watch_dead_letters(app: faust.App, name: str) -> None:
    """Tells operators of dead letters, by reason, soon after they came.

    An agent sees a letter at least once, and those of aborted transactions too: good enough for a warning, and for nothing else.
    """
    topic = app.topic(name, value_serializer="raw", key_serializer="raw")

    @app.agent(topic, name="dead-letters")
    async def watch(letters: faust.StreamT[bytes]) -> None:
        assert isinstance(letters, faust.Stream)
        async for events in letters.take_events(_LETTERS, within=_WITHIN_SECONDS):
            reasons = Counter(_reason(event) for event in events)
            for reason, count in reasons.items():
                DEAD_LETTERS_SEEN.labels(reason).inc(count)
                _log.warning("dead_letters", reason=reason, count=count)


def _reason(event: faust.EventT[Any]) -> str:
    """One that Tenantry knows: it becomes a label of a metric, and who may write to the topic must not make thousands of them."""
    value = dict(event.headers or {}).get("reason", b"")
    reason = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return reason if reason in _REASONS else "unknown"


def _measure_lag(app: faust.App, hot_path: HotPath) -> None:
    @app.timer(_LAG_SECONDS)  # type: ignore[untyped-decorator]
    async def lag(_: faust.App) -> None:
        if hot_path.worker is None:
            return
        try:
            await hot_path.worker.runner.lag()
        except StreamsError as error:
            _log.warning("lag_unknown", error=str(error))


def _credentials(connection: KafkaConnection) -> faust.auth.Credentials | None:
    given = connection.settings()
    context = given.get("ssl_context")
    if connection.security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=connection.sasl_username, password=connection.password, mechanism=connection.sasl_mechanism, ssl_context=context
        )
    return faust.SSLCredentials(context) if context is not None else None
