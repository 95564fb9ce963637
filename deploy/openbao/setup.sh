#!/bin/sh
# Initialises OpenBao the first time, and gives it the mount, the policy and the role that Tenantry needs; may be run again at any time.
# The root token is revoked at the end. The recovery key stays in $KEPT/init.txt: with it, as-root.sh makes another when one is needed.
set -eu
umask 077
# role NAME SECRET_FILE TTL: a role of the policy of its name, which logs in with the secret of the file.
role() {
	bao write "auth/approle/role/$1" token_policies="$1" token_period="$3" > /dev/null
	bao write "auth/approle/role/$1/role-id" role_id="$1" > /dev/null
	login "$1" "$2" 2> /dev/null || bao write "auth/approle/role/$1/custom-secret-id" secret_id=- < "$2" > /dev/null
	login "$1" "$2"
}
login() { bao write -field=token auth/approle/login role_id="$1" secret_id=- < "$2" > /dev/null; }
if [ ! -s "$KEPT/init.txt" ]; then
	bao operator init -recovery-shares=1 -recovery-threshold=1 > "$KEPT/init.new"
	mv "$KEPT/init.new" "$KEPT/init.txt"
fi
until bao status > /dev/null 2>&1; do sleep 1; done
BAO_TOKEN=$(sed -n 's/^Initial Root Token: //p' "$KEPT/init.txt")
if [ -z "$BAO_TOKEN" ]; then
	login tenantry "$SECRETS/tenantry/vault-secret-id"
	echo "OpenBao has what Tenantry needs."
	exit 0
fi
export BAO_TOKEN
bao secrets list -format=json | grep -q '"tenantry/"' || bao secrets enable -path=tenantry transit
bao auth list -format=json | grep -q '"approle/"' || bao auth enable approle
bao policy write tenantry "$POLICY"
printf 'path "sys/storage/raft/snapshot" {\n  capabilities = ["read"]\n}\n' | bao policy write snapshot -
printf 'path "sys/generate-root-token/*" {\n  capabilities = ["create", "read", "update", "delete"]\n}\n' | bao policy write recovery -
role tenantry "$SECRETS/tenantry/vault-secret-id" 1h
role snapshot "$SECRETS/openbao/snapshot-secret-id" 5m
role recovery "$SECRETS/openbao/recovery-secret-id" 5m
bao token revoke -self
sed '/^Initial Root Token: /d' "$KEPT/init.txt" > "$KEPT/init.new"
mv "$KEPT/init.new" "$KEPT/init.txt"
echo "OpenBao has what Tenantry needs. Its recovery key is in the volume openbao-recovery: move that line of init.txt to a safe place, and leave the file."
