# What Tenantry may do: its own keys, which can never be exported.
path "tenantry/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "tenantry/export/*" {
  capabilities = ["deny"]
}
path "tenantry/backup/*" {
  capabilities = ["deny"]
}
path "sys/mounts/tenantry" {
  capabilities = ["read"]
}
