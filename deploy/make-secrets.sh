#!/bin/sh
# Makes every secret that docker-compose.yml needs, new for this installation: passwords, a certificate authority and certificates, the
# key that unseals OpenBao. They go to deploy/secrets, which git ignores, and .env says where they are. It never replaces any.
# Needs openssl. Containers run as other users, so that what they read can be read by everybody who gets into the directory: only you can.
set -eu
cd "$(dirname "$0")"
made=secrets
[ ! -e "$made" ] || { echo "deploy/$made is there already. Its secrets are those of your data: without them it can't be opened." >&2; exit 1; }
[ ! -e ../.env ] || { echo ".env is there already; move it away first." >&2; exit 1; }
command -v openssl > /dev/null || { echo "openssl is missing; install it." >&2; exit 1; }

umask 077
new=$(mktemp -d "$PWD/.secrets.XXXXXX")
trap 'rm -rf "$new"' EXIT
mkdir "$new/kafka" "$new/opensearch" "$new/dashboards" "$new/openbao" "$new/tenantry"

# password FILE: 256 random bits, as hexadecimal digits, which mean nothing special anywhere.
password() { openssl rand -hex 32 | tr -d '\n' > "$new/$1"; }
password tenantry/kafka-password
password tenantry/opensearch-password
password tenantry/vault-secret-id
password dashboards/password
password opensearch/admin-password
password openbao/snapshot-secret-id
password openbao/recovery-secret-id
openssl rand -out "$new/openbao/seal.key" 32

# openssl in silence, unless it fails: it writes its progress to the standard error.
ssl() { openssl "$@" 2> "$new/log" || { cat "$new/log" >&2; exit 1; }; }
days=825 # what clients accept at most
ssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/O=Tenantry/CN=Tenantry internal CA" \
	-addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$new/ca-key.pem" -out "$new/ca.pem"

# certificate NAME FOLDER USAGE ADDRESSES: a key and a certificate of the authority.
certificate() {
	printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n' "$3" > "$new/extensions"
	[ -z "$4" ] || printf 'subjectAltName=%s\n' "$4" >> "$new/extensions"
	ssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$new/$2/$1-key.pem"
	ssl req -new -key "$new/$2/$1-key.pem" -subj "/O=Tenantry/CN=$1" -out "$new/request"
	ssl x509 -req -in "$new/request" -days "$days" -CA "$new/ca.pem" -CAkey "$new/ca-key.pem" -CAcreateserial \
		-extfile "$new/extensions" -out "$new/$2/$1.pem"
}
certificate kafka kafka serverAuth "DNS:kafka,DNS:localhost,IP:127.0.0.1"
certificate opensearch opensearch serverAuth,clientAuth "DNS:opensearch,DNS:localhost,IP:127.0.0.1"
certificate opensearch-admin opensearch clientAuth ""
certificate openbao openbao serverAuth "DNS:openbao,DNS:localhost,IP:127.0.0.1"
cat "$new/kafka/kafka-key.pem" "$new/kafka/kafka.pem" > "$new/kafka/keystore.pem" # as Kafka wants them
rm "$new/kafka/kafka-key.pem" "$new/kafka/kafka.pem" "$new/extensions" "$new/request" "$new/log"
rm -f "$new/ca.srl"

# Files that hold a password where their program takes it from no file of its own.
{
	cat kafka/server.properties
	printf 'listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_tenantry="%s";\n' \
		"$(cat "$new/tenantry/kafka-password")"
} > "$new/kafka/server.properties"
{
	cat opensearch/dashboards.yml
	printf 'opensearch.password: "%s"\nopensearch_security.cookie.password: "%s"\n' "$(cat "$new/dashboards/password")" "$(openssl rand -hex 32)"
} > "$new/dashboards/opensearch_dashboards.yml"

find "$new" -mindepth 1 -type d -exec chmod 755 {} +
find "$new" -type f ! -name ca-key.pem -exec chmod 644 {} +
mv "$new" "$made"
trap - EXIT
printf 'SECRETS=./deploy/secrets\nKAFKA_CLUSTER_ID=%s\n' "$(openssl rand -base64 16 | tr '+/' '-_' | tr -d '=')" > ../.env
echo "deploy/secrets and .env are made. Keep a copy of deploy/secrets elsewhere: without it the data can't be opened."
echo "Now: docker compose up --detach --wait"
