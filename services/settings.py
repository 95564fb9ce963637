"""The settings: environment variables `TENANTRY_*`, read here and nowhere else. Everything has a default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.errors import SettingsError


class Settings(BaseSettings):
    """What an operator can set. With nothing set, everything runs in one process on one directory."""

    model_config = SettingsConfigDict(env_prefix="TENANTRY_", extra="ignore", frozen=True)

    data: Annotated[Path, Field(description="Directory of everything that the embedded engines store")] = Path("data")
    host: Annotated[str, Field(description="Address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 takes a free one")] = 8080
    public_url: Annotated[str, Field(description="What the outside calls this service; tenants' issuers begin with it")] = ""
    sample: Annotated[bool, Field(description="Load the six sample tenants and their events on the first start")] = False
    log_url: Annotated[str, Field(description="The event log: sqlite:///PATH or kafka://HOST:PORT/PREFIX")] = ""
    index_url: Annotated[str, Field(description="The search indexes: file:///PATH or opensearch://USER@HOST:PORT/PREFIX")] = ""
    keys_url: Annotated[str, Field(description="The key store: file:///PATH or vault://HOST:PORT/MOUNT")] = ""
    process: Annotated[bool, Field(description="Whether `tenantry serve` routes and indexes; 0 leaves it to `tenantry worker`")] = True
    kafka_password: Annotated[SecretStr | None, Field(description="For SASL on Kafka")] = None
    kafka_password_file: Annotated[Path | None, Field(description="A file with that password")] = None
    opensearch_password: Annotated[SecretStr | None, Field(description="Of the user in the URL of the search indexes")] = None
    opensearch_password_file: Annotated[Path | None, Field(description="A file with that password")] = None
    vault_token: Annotated[SecretStr | None, Field(description="A token for Vault; it is renewed")] = None
    vault_token_file: Annotated[Path | None, Field(description="A file with that token")] = None
    vault_role_id: Annotated[str, Field(description="AppRole to log in to Vault with, instead of a token")] = ""
    vault_secret_id: Annotated[SecretStr | None, Field(description="The AppRole's secret")] = None
    vault_secret_id_file: Annotated[Path | None, Field(description="A file with that secret")] = None
    metrics_port: Annotated[int, Field(ge=0, le=65535, description="Port of `tenantry worker` for /metrics; 0 for none")] = 0
    sign_unheard: Annotated[
        bool,
        Field(description="Whether a node that Kafka has not answered for longer than a JWKS may be cached goes on signing"),
    ] = True
    outbound_allow: Annotated[
        str,
        Field(description="Besides public https addresses, what webhooks and imports may call: networks and host names, comma separated"),
    ] = ""
    master_key: Annotated[SecretStr | None, Field(description="32 bytes in base64url; by default a file is made")] = None
    master_key_file: Annotated[Path | None, Field(description="File of the master key; by default master.key in the data directory")] = None
    url: Annotated[str, Field(description="The service that the command line talks to; by default the port on this machine")] = ""
    token: Annotated[SecretStr | None, Field(description="The token of the command line; by default from operator.token")] = None

    @field_validator("public_url", "url")
    @classmethod
    def _no_slash_at_the_end(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in {"http", "https"}:
            raise ValueError("must be a URL that begins with http:// or https://")
        return value.rstrip("/")

    def secret(self, name: str) -> str | None:
        """A secret that may be set directly or in a file, by the direct setting's name; None if neither is.

        Raises:
            SettingsError: both are set, or the file can't be read.
        """
        given: SecretStr | None = getattr(self, name)
        file: Path | None = getattr(self, f"{name}_file")
        if given is not None and file is not None:
            raise SettingsError(f"set TENANTRY_{name.upper()} or TENANTRY_{name.upper()}_FILE, not both")
        if file is None:
            return given.get_secret_value() if given is not None else None
        try:
            return file.read_text().strip()
        except OSError as error:
            raise SettingsError(f"TENANTRY_{name.upper()}_FILE: {file} can't be read ({error.strerror})") from error

    @property
    def issuer_base(self) -> str:
        """The public URL, by default this machine's."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def service_url(self) -> str:
        """Where the command line finds the service."""
        return self.url or f"http://{self.host}:{self.port}"

    @property
    def operator_token_file(self) -> Path:
        """Where the first start leaves the operator's token, with mode 0600."""
        return self.data / "operator.token"
