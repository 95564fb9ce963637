# One node. It unseals itself at each start with a key from deploy/secrets: who has the secrets and the volume has the keys. For more, use a
# seal that is elsewhere (a KMS, another Vault's transit); see docs/operating.md.
storage "raft" {
  path    = "/openbao/file"
  node_id = "openbao"

  performance_multiplier = 1
}
listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/secrets/openbao/openbao.pem"
  tls_key_file  = "/secrets/openbao/openbao-key.pem"
}
seal "static" {
  current_key_id = "1"
  current_key    = "file:///secrets/openbao/seal.key"
}
api_addr      = "https://openbao:8200"
cluster_addr  = "https://127.0.0.1:8201"
disable_mlock = true
