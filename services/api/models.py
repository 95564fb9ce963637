"""The shapes of requests and answers that are not events, with examples for the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.access.scopes import Scope
from services.tenants.domains import MOST_DOMAINS


class Strict(BaseModel):
    """A body that refuses what it does not know, so that a misspelt name is noticed."""

    model_config = ConfigDict(extra="forbid", strict=False)


class TenantBody(Strict):
    """A tenant as it should be."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "display_name": "Globex",
                    "sources": [{"provider": "keycloak", "realm_id": "bf4a7849-9bf6-4f14-82b4-94f7662660c0", "realm": "globex"}],
                }
            ]
        },
    )

    display_name: Annotated[str, Field(min_length=1, max_length=200, description="What people call the tenant")]
    sources: Annotated[
        list[dict[str, str]] | None,
        Field(max_length=100, description="Whose events are this tenant's; left out: as they are. Operators only"),
    ] = None
    issuer: Annotated[str | None, Field(max_length=500, description="The `iss` of its tokens; by default under the public URL")] = None
    isolation: Annotated[
        Literal["separate", "pooled"] | None,
        Field(description="Whether it has a search index of its own, or shares one with other small tenants; decided once, by operators"),
    ] = None


class TenantAnswer(BaseModel):
    """A tenant."""

    id: str
    display_name: str
    issuer: str
    sources: list[dict[str, str]]
    isolation: str
    domains: list[str]
    created_at: str
    jwks_uri: str


class TenantList(BaseModel):
    """Tenants by id; `next` is the cursor of the next ones."""

    tenants: list[TenantAnswer]
    next: str | None


class SourcesBody(Strict):
    """Sources to ignore: their events are dropped, as those of Keycloak's own realm `master`."""

    sources: Annotated[list[dict[str, str]], Field(max_length=1000)]


class DomainsBody(Strict):
    """A tenant's own domains."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"domains": ["id.acme.example"]}]})

    domains: Annotated[list[str], Field(max_length=MOST_DOMAINS, description="In lower case, without scheme, port and path")]


class TokenBody(Strict):
    """A token to mint."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "dashboard", "scopes": ["events:read"]}]})

    name: Annotated[str, Field(min_length=1, max_length=100, description="What people call it; one valid token a name")]
    scopes: Annotated[list[Scope], Field(min_length=1, description="What it may do; not more than the token that mints it")]
    expires_at: Annotated[AwareDatetime | None, Field(description="When it ends, with a zone; by default never")] = None


class TokenAnswer(BaseModel):
    """A token, without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    minted_at: str
    minted_by: str
    expires_at: str | None


class MintedAnswer(TokenAnswer):
    """A new token with its secret, shown this once."""

    token: str


class SearchUserAnswer(BaseModel):
    """A tenant's user at OpenSearch, with the index that it may search, and with its password, shown this once."""

    index: str
    user: str
    password: str


class TokenList(BaseModel):
    """The tenant's tokens that are not revoked."""

    tokens: list[TokenAnswer]


class IngestAnswer(BaseModel):
    """How many events were taken, and which were not."""

    taken: int
    refused: list[dict[str, Any]]


class Bucket(BaseModel):
    """A value, or the start of an interval, and how many events have it."""

    value: str
    count: int


class CountsAnswer(BaseModel):
    """How many events, in all and by value or time."""

    total: int
    buckets: list[Bucket]
    indexed_up_to: str


class ReasonBody(Strict):
    """Why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "private key seen in a public repository"}]})

    reason: Annotated[str, Field(min_length=1, max_length=500, description="For the log, and for whoever reads it later")]


class RotateBody(Strict):
    """How to rotate; empty: prepare a successor, or activate the one that is due."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{}, {"activate": True, "reason": "vendor asked for a new key"}]}
    )

    activate: Annotated[bool, Field(description="Activate the standby at once, whoever has not seen it yet")] = False
    reason: Annotated[str | None, Field(min_length=1, max_length=500, description="Needed with `activate`")] = None


class SignBody(Strict):
    """Claims to sign: those of one token, or of several."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"claims": {"sub": "user-1", "aud": "web-app"}},
                {"batch": [{"sub": "user-1", "aud": "web-app"}, {"sub": "user-2", "aud": "web-app"}]},
            ]
        },
    )

    claims: Annotated[dict[str, Any] | None, Field(description="One token's claims; iss, iat and exp are the service's to set")] = None
    batch: Annotated[
        list[dict[str, Any]] | None,
        Field(min_length=1, max_length=100, description="Instead of `claims`: those of each token. All are signed, or none"),
    ] = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.claims is None) == (self.batch is None):
            raise ValueError("give `claims` for one token, or `batch` for several")
        return self

    @property
    def each(self) -> Sequence[Mapping[str, Any]]:
        """The claims of each token."""
        return self.batch if self.batch is not None else [self.claims or {}]


class SignAnswer(BaseModel):
    """A signed token (RFC 7519), the key that signed it, and when it expires."""

    token: str
    kid: str
    expires_at: str


class SignedBatch(BaseModel):
    """The tokens of a batch, in its order."""

    tokens: list[SignAnswer]
