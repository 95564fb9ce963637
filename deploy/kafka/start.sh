#!/bin/bash
# Formats the storage if it is new, then runs the broker.
set -eu
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --standalone --cluster-id "$KAFKA_CLUSTER_ID" --config /etc/kafka/secrets/server.properties
exec /opt/kafka/bin/kafka-server-start.sh /etc/kafka/secrets/server.properties
