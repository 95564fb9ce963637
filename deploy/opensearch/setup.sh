#!/bin/bash
# Gives OpenSearch the users and roles that the others need, with the administrator's certificate; may be run again at any time.
set -eu
ask() { # METHOD PATH: the body comes from the standard input, so that no password is in a list of processes
	curl --silent --show-error --fail-with-body --output /dev/null --cacert "$CERTIFICATES/ca.pem" --cert "$CERTIFICATES/opensearch-admin.pem" \
		--key "$CERTIFICATES/opensearch-admin-key.pem" --header 'Content-Type: application/json' --request "$1" --data-binary @- "$URL/$2"
}
api=_plugins/_security/api
user() { # NAME PASSWORD_FILE ROLES BACKEND_ROLES
	printf '{"password": "%s", "opendistro_security_roles": [%s], "backend_roles": [%s]}' "$(cat "$2")" "$3" "$4" | ask PUT "$api/internalusers/$1"
}
# What roles_mapping.yml says is read by an empty OpenSearch only: this is for one that was started before.
echo '{"users": []}' | ask PUT "$api/rolesmapping/own_index"
ask PUT "$api/roles/tenantry" < "$(dirname "$0")/tenantry-role.json"
user tenantry "$SECRETS/tenantry/opensearch-password" '"tenantry"' ''
user kibanaserver "$SECRETS/dashboards/password" '"kibana_server"' ''
user admin "$SECRETS/opensearch/admin-password" '"all_access"' '"admin"'
echo "OpenSearch has its users."
