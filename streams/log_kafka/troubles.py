"""What aiokafka raises, as what the port raises; and for how long anything is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiokafka import errors as kafka_errors

from streams.errors import LogUnavailable

QUESTION_SECONDS: Final = 6.0
"""How long a question (ends, cursors, a read's first record) may take before the log counts as away."""

WRITE_SECONDS: Final = 15.0
"""How long an append may be tried before the log counts as away. A broker's restart takes less."""

DOUBT_SECONDS: Final = 10.0
"""How much longer, when a commit was asked for and not answered, to learn whether it happened."""

REQUEST_MS: Final = 5_000
"""How long one request may be without an answer before its connection is given up."""

TRANSACTION_MS: Final = 10_000
"""After how long the broker aborts the open transaction of a process that has died. Until then, readers of its partitions wait."""

RETRY_SECONDS: Final = 0.1

TROUBLES: Final = (kafka_errors.KafkaError, kafka_errors.ConsumerStoppedError, OSError, AssertionError)
"""What aiokafka raises when something is wrong with Kafka. (A TimeoutError is an OSError. It asserts, for one, that a broker is known,
which it is not when the one that was asked has only just started.)"""

_FORBIDDEN: Final = (
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.GroupAuthorizationFailedError,
    kafka_errors.ClusterAuthorizationFailedError,
    kafka_errors.TransactionalIdAuthorizationFailed,
)

_PASSING: Final = (  # aiokafka does not call them retriable, because with the same producer they are not
    kafka_errors.ProducerFenced,
    kafka_errors.InvalidProducerEpoch,
    kafka_errors.InvalidProducerIdMapping,
    kafka_errors.InvalidTxnState,
    kafka_errors.ConcurrentTransactions,
    kafka_errors.OutOfOrderSequenceNumber,
    kafka_errors.DuplicateSequenceNumber,
    kafka_errors.ProducerClosed,
    kafka_errors.CommitFailedError,
    kafka_errors.IllegalStateError,
    kafka_errors.KafkaTimeoutError,  # a batch waits too long behind another one of its partition
    kafka_errors.UnknownError,  # also what it calls each code that it does not know, such as PRODUCER_FENCED and TRANSACTION_ABORTABLE
)


@contextmanager
def unavailable(doing: str) -> Iterator[None]:
    """Turns what goes wrong with Kafka into `LogUnavailable`, with what to do."""
    try:
        yield
    except TROUBLES as error:
        raise explained(doing, error) from error


def explained(doing: str, error: BaseException) -> LogUnavailable:
    """The error for people."""
    what = str(error) or type(error).__name__
    if isinstance(error, TimeoutError | asyncio.CancelledError):
        what = "no answer in time"
    if isinstance(error, _FORBIDDEN):
        advice = "grant Tenantry's user the ACLs that the documentation lists"
    elif isinstance(error, kafka_errors.AuthenticationFailedError):
        advice = "check the SASL mechanism, user name and password"
    elif isinstance(error, kafka_errors.MessageSizeTooLargeError | kafka_errors.RecordListTooLargeError):
        advice = "set the topic's max.message.bytes to 4194304"
    else:
        # aiokafka says "unable to bootstrap" of a refused password, too.
        advice = "check that its brokers run and can be reached, and the user name and password if there are any"
    return LogUnavailable(f"Kafka can't be used to {doing} ({what}); {advice}")


def passes(error: BaseException | None) -> bool:
    """Whether trying again can help."""
    if type(error) is kafka_errors.KafkaError:
        return True  # the producer's own task has ended by an answer that it does not expect; another producer may get another one
    return not isinstance(error, kafka_errors.KafkaError) or bool(error.retriable) or isinstance(error, _PASSING)
