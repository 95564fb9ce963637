"""The settings: environment variables `TENANTRY_*`, read here and nowhere else. Everything has a default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator can set. With nothing set, everything runs in one process on one directory."""

    model_config = SettingsConfigDict(env_prefix="TENANTRY_", extra="ignore", frozen=True)

    data: Annotated[Path, Field(description="Directory of everything that the embedded engines store")] = Path("data")
    host: Annotated[str, Field(description="Address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 takes a free one")] = 8080
    public_url: Annotated[str, Field(description="What the outside calls this service; tenants' issuers begin with it")] = ""
    sample: Annotated[bool, Field(description="Load the six sample tenants and their events on the first start")] = False
    log_url: Annotated[str, Field(description="The event log: sqlite:///PATH; by default in the data directory")] = ""
    index_url: Annotated[str, Field(description="The search indexes: file:///PATH; by default in the data directory")] = ""
    keys_url: Annotated[str, Field(description="The key store: file:///PATH; by default in the data directory")] = ""
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
