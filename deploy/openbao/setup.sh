#!/bin/sh
# Initialises OpenBao the first time, and gives it the mount, the policy and the role that Tenantry needs; may be run again at any time.
# The recovery key, of which a new root token can be made, stays in $KEPT/init.txt; the root token is revoked at the end.
set -eu
umask 077
secret() { bao write -field=token auth/approle/login role_id=tenantry secret_id=- < "$SECRETS/tenantry/vault-secret-id"; }
if [ ! -s "$KEPT/init.txt" ]; then
	bao operator init -recovery-shares=1 -recovery-threshold=1 > "$KEPT/init.new"
	mv "$KEPT/init.new" "$KEPT/init.txt"
fi
until bao status > /dev/null 2>&1; do sleep 1; done
BAO_TOKEN=$(sed -n 's/^Initial Root Token: //p' "$KEPT/init.txt")
if [ -z "$BAO_TOKEN" ]; then
	secret > /dev/null
	echo "OpenBao has what Tenantry needs."
	exit 0
fi
export BAO_TOKEN
bao secrets list -format=json | grep -q '"tenantry/"' || bao secrets enable -path=tenantry transit
bao auth list -format=json | grep -q '"approle/"' || bao auth enable approle
bao policy write tenantry "$POLICY"
bao write auth/approle/role/tenantry token_policies=tenantry token_ttl=1h token_max_ttl=0 token_period=1h
bao write auth/approle/role/tenantry/role-id role_id=tenantry
secret > /dev/null 2>&1 || bao write -f auth/approle/role/tenantry/custom-secret-id secret_id=- < "$SECRETS/tenantry/vault-secret-id" > /dev/null
secret > /dev/null
bao token revoke -self
sed '/^Initial Root Token: /d' "$KEPT/init.txt" > "$KEPT/init.new"
mv "$KEPT/init.new" "$KEPT/init.txt"
echo "OpenBao has what Tenantry needs. Its recovery key is in the volume openbao-recovery: move it to a safe place."
