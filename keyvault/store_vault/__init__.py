"""The key store over the transit engine of Vault or OpenBao, which makes the keys, keeps them and signs with them.

How the port's promises are kept:

- **A private key never leaves.** Keys are made neither exportable nor fit for plain backups, and one that is, is refused
  (`transit_key.py`). The service's policy (docs/vault-policy.hcl) can't change that, nor export, back up or delete anything.
- **adopt** sends the key wrapped for Vault (`wrapping.py`), and Vault keeps it like its own; the name says that it came from elsewhere,
  and under any other name such a key is refused.
- **create** is idempotent in Vault: one transit key for each of our names (`names.py`), whoever comes first.
- **sign** always names the first version of the transit key, so a rotation by hand in Vault changes nothing. What is to be signed with
  one key while a request is under way goes into the next (`batches.py`). It goes over a line of its own (`signing_line.py`), and what
  does not succeed there, through hvac.
- **destroy** erases that version and leaves its name, taken by a version that nobody uses (`transit.py`). Deleting the key would free
  the name; so there is no moment in which somebody could make the key anew, whatever is killed in between.
- **A token** is renewed at two thirds of its life by a thread of its own (`renewal.py`); a role logs in again when its token is dead
  (`login.py`).
- **Nothing waits for ever**: each call has `timeout` seconds in all.

hvac is synchronous; it runs in a small pool of threads, and takes a millisecond and more of CPU a request.
"""

from keyvault.store_vault.connection import VaultConnection
from keyvault.store_vault.store import VaultKeyStore

__all__ = ["VaultConnection", "VaultKeyStore"]
