#!/bin/sh
# Writes a snapshot of OpenBao, with every key in it, to the standard output. It opens only with the seal's key, deploy/secrets/openbao/seal.key.
set -eu
umask 077
BAO_TOKEN=$(bao write -field=token auth/approle/login role_id=snapshot secret_id=- < "$SECRETS/openbao/snapshot-secret-id")
export BAO_TOKEN
made=$(mktemp)
trap 'rm -f "$made"' EXIT
bao operator raft snapshot save "$made" >&2
cat "$made"
