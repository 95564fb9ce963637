# What Tenantry's token may do in Vault or OpenBao, and nothing else. Its transit engine is mounted at `tenantry`: write your mount here.
# A mount belongs to one installation and is shared with nothing: keys are named by tenant, so another installation's of the same tenant would
# be the same keys, and this policy reaches every key of the mount.
#
#   bao secrets enable -path=tenantry transit
#   bao policy write tenantry docs/vault-policy.hcl
#
# A role that logs in with it, and can log in again whenever it must:
#
#   bao auth enable approle
#   bao write auth/approle/role/tenantry token_policies=tenantry token_period=1h
#   bao read -field=role_id auth/approle/role/tenantry/role-id                              # TENANTRY_VAULT_ROLE_ID
#   (umask 077; bao write -force -field=secret_id auth/approle/role/tenantry/secret-id > secret-id)   # TENANTRY_VAULT_SECRET_ID_FILE
#
# Or a token, which Tenantry renews (TENANTRY_VAULT_TOKEN_FILE): bao token create -policy=tenantry -period=24h -orphan -field=token
#
# With it, nobody can export, back up or delete a key, nor make or import one that could be: whatever a parameter is not named here for is refused.

# Make and read keys, of the types that Tenantry uses.
path "tenantry/keys/+" {
  capabilities = ["create", "update", "read"]
  allowed_parameters = {
    "type"                   = ["rsa-2048", "ecdsa-p256", "ecdsa-p384", "ed25519"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
}

# Take in a key that was made elsewhere, wrapped for this engine (`tenantry keys import --private`). Leave both out, and nobody can.
path "tenantry/wrapping_key" {
  capabilities = ["read"]
}

path "tenantry/keys/+/import" {
  capabilities = ["update"]
  allowed_parameters = {
    "type"                   = ["rsa-2048", "rsa-3072", "rsa-4096", "ecdsa-p256", "ecdsa-p384", "ed25519"]
    "ciphertext"             = []
    "hash_function"          = ["SHA256"]
    "allow_rotation"         = [true]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
}

# Sign.
path "tenantry/sign/+" {
  capabilities = ["update"]
}

# Destroy a key: take its name over with another version, forbid the first one, erase it.
path "tenantry/keys/+/rotate" {
  capabilities = ["update"]
}

path "tenantry/keys/+/config" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_encryption_version" = []
    "min_decryption_version" = []
  }
}

path "tenantry/keys/+/trim" {
  capabilities = ["update"]
}

# Keep its own token. Vault's `default` policy allows the same.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}
