#!/bin/sh
# Puts a snapshot, from the standard input, into a new OpenBao that has never been initialised: all it has is then as it was, also the
# recovery key, which is that of the snapshot's time.
set -eu
umask 077
[ ! -s "$KEPT/init.txt" ] || { echo "$KEPT/init.txt is there: this OpenBao was initialised. Restore into a new one." >&2; exit 1; }
snapshot=$(mktemp)
trap 'rm -f "$snapshot"' EXIT
cat > "$snapshot"
bao operator init -recovery-shares=1 -recovery-threshold=1 > "$snapshot.init"
BAO_TOKEN=$(sed -n 's/^Initial Root Token: //p' "$snapshot.init")
export BAO_TOKEN
rm "$snapshot.init" # of no use after the restore
until bao status > /dev/null 2>&1; do sleep 1; done
bao operator raft snapshot restore -force "$snapshot" >&2
echo "restored; the recovery key is that of the installation that the snapshot was taken of" > "$KEPT/init.txt"
unset BAO_TOKEN
tries=0
until bao write -field=token auth/approle/login role_id=tenantry secret_id=- < "$SECRETS/tenantry/vault-secret-id" > /dev/null 2>&1; do
	tries=$((tries + 1))
	[ "$tries" -lt 60 ] || { echo "OpenBao does not take the role of Tenantry after the restore; are deploy/secrets those of its time?" >&2; exit 1; }
	sleep 1
done
echo "OpenBao is restored, and takes the role of Tenantry." >&2
