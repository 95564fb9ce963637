"""The event log over Kafka, shared by any number of processes of any number of machines.

How the port's promises are kept, on Kafka 2.5 or newer:

- **append** is a transaction (`lane.py`, `producer.py`), and what waits meanwhile shares the next one. Where the answer to a commit
  is lost, the same transactional id is taken again, which ends the transaction one way or the other, and the record is looked for.
  Only if Kafka stays away during that, the caller hears that it is not known.
- **append_if_unchanged** is for `control` only, to which every append of every process goes by one transactional id of its
  partition (`control.py`): becoming the id's user fences the others.
- **read** and **ends** count up to the high watermark, because a commit is answered before its marker has reached the partitions:
  a record whose append has returned may still be behind the last stable offset (`log.py`).
- **follow** without a group assigns itself every partition (`subscription.py`); with one it is a member of a consumer group
  (`group.py`), and a partition's cursor and outputs are one transaction by the partition's id.
- a batch without records says that only the end has moved: transactions' markers and aborted records have offsets, too.

Kafka's own part: topics of record have no retention and keep their number of partitions (`topics.py`).
"""

from streams.log_kafka.connection import KafkaConnection
from streams.log_kafka.log import KafkaEventLog

__all__ = ["KafkaConnection", "KafkaEventLog"]
