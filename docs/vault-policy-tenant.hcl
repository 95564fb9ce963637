# For a signer of one tenant's, beside Tenantry: it reads the public halves of that tenant's keys and signs with them. Write the tenant's id for
# `TENANT`, and your mount for `tenantry`. A tenant id has no dot, so `TENANT.*` is no other tenant's key.

path "tenantry/keys/TENANT.*" {
  capabilities = ["read"]
}

path "tenantry/sign/TENANT.*" {
  capabilities = ["update"]
}
