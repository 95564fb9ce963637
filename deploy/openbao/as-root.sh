#!/bin/sh
# Runs a command as OpenBao's root, with a token that is made for it and revoked behind it: as-root.sh bao policy write tenantry /policy.hcl
# To make one takes two secrets, and neither alone is enough: that of the role `recovery`, in deploy/secrets, and the recovery key, which
# is read from $KEPT/init.txt or, once it is in a safe place, asked for.
set -eu
umask 077
[ $# -gt 0 ] || { echo "Say what to run, as in: $0 bao policy write tenantry /policy.hcl" >&2; exit 2; }
key=$(sed -n 's/^Recovery Key 1: //p' "$KEPT/init.txt" 2> /dev/null || true)
if [ -z "$key" ]; then
	[ ! -t 0 ] || { printf 'Recovery key: ' >&2; trap 'stty echo' EXIT; trap 'exit 1' HUP INT QUIT TERM; stty -echo; }
	read -r key || [ -n "$key" ] || { echo "The recovery key is not in $KEPT/init.txt; give it on the standard input." >&2; exit 1; }
	[ ! -t 0 ] || { stty echo; echo >&2; }
fi
BAO_TOKEN=$(bao write -field=token auth/approle/login role_id=recovery secret_id=- < "$SECRETS/openbao/recovery-secret-id")
export BAO_TOKEN
apart=$(command -v setsid || true) # where no key of the terminal reaches it: a program in Go ends at Ctrl-\, ignored or not
field() { sed -n "s/^$1  *\([^ ]*\)\$/\1/p"; }
bao operator generate-root -cancel > /dev/null # what somebody else has begun and not ended
begun=$(bao operator generate-root -init)
trap '' HUP INT QUIT TERM # from here on there is a root token, and it must not stay
trap 'trap "" HUP INT QUIT TERM; $apart bao token revoke -self > /dev/null' EXIT
made=$(printf '%s' "$key" | $apart bao operator generate-root -nonce="$(echo "$begun" | field Nonce)" -)
unset key
# The password of the exchange may be seen in the list of processes: it is of no use without what it opens.
BAO_TOKEN=$(echo "$made" | field 'Encoded Token' | tr -d '\n' | $apart bao operator generate-root -decode=- -otp="$(echo "$begun" | field OTP)")
trap 'exit 1' HUP INT QUIT TERM # or the trap of EXIT would not be heeded
"$@"
