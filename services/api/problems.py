"""Errors as problem details (RFC 9457): the one table from error to HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from keyvault import errors as keys
from services import errors as edge
from streams import errors as streams

_log = structlog.get_logger(__name__)
TYPE_BASE: Final = "https://tenantry.dev/problems/"
MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a class of errors becomes: `type` is `TYPE_BASE` plus the slug."""

    status: HTTPStatus
    slug: str
    title: str
    retry_after: int | None = None


_UNAVAILABLE_SECONDS: Final = 5
_TOO_MANY_SECONDS: Final = 10

PROBLEMS: Final[Mapping[type[Exception], Problem]] = {
    edge.Unauthenticated: Problem(HTTPStatus.UNAUTHORIZED, "unauthenticated", "A valid token is needed"),
    edge.Forbidden: Problem(HTTPStatus.FORBIDDEN, "forbidden", "The token lacks a scope"),
    edge.FormRefused: Problem(HTTPStatus.FORBIDDEN, "forbidden", "The form was not taken"),
    edge.NotFound: Problem(HTTPStatus.NOT_FOUND, "not-found", "Not found"),
    edge.Conflict: Problem(HTTPStatus.CONFLICT, "conflict", "It contradicts what is there"),
    edge.Invalid: Problem(HTTPStatus.BAD_REQUEST, "invalid", "The request is not right"),
    edge.TooLarge: Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "The request is too large"),
    edge.TooMany: Problem(HTTPStatus.TOO_MANY_REQUESTS, "too-many", "Too many at once", _TOO_MANY_SECONDS),
    edge.Reused: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The Idempotency-Key belongs to another request"),
    edge.CutOff: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "cut-off", "This node is cut off from the log", _UNAVAILABLE_SECONDS),
    edge.AddressRefused: Problem(HTTPStatus.BAD_REQUEST, "address-refused", "The address may not be called"),
    edge.Unreachable: Problem(HTTPStatus.BAD_GATEWAY, "address-unreachable", "The address can't be reached"),
    edge.TlsFailed: Problem(HTTPStatus.BAD_GATEWAY, "address-untrusted", "The address does not prove to be who it is"),
    edge.NoAnswerInTime: Problem(HTTPStatus.GATEWAY_TIMEOUT, "address-timeout", "The address did not answer in time"),
    edge.UnusableAnswer: Problem(HTTPStatus.BAD_GATEWAY, "address-answer", "The address does not answer with what is needed"),
    streams.InvalidTenantId: Problem(HTTPStatus.NOT_FOUND, "not-found", "Not found"),
    streams.QueryError: Problem(HTTPStatus.BAD_REQUEST, "invalid-query", "The query is not right"),
    streams.CursorError: Problem(HTTPStatus.BAD_REQUEST, "invalid-cursor", "The cursor is not of this search"),
    streams.DecodeError: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-event", "The event can't be taken"),
    streams.UnknownSource: Problem(HTTPStatus.BAD_REQUEST, "unknown-source", "There is no such source"),
    streams.SourceTaken: Problem(HTTPStatus.CONFLICT, "source-taken", "The source belongs to another tenant"),
    streams.IndexMissing: Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "index-unavailable", "The search index is being made", _UNAVAILABLE_SECONDS
    ),
    streams.IndexUnavailable: Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "index-unavailable", "The search index is not available", _UNAVAILABLE_SECONDS
    ),
    streams.IndexBeingBuilt: Problem(HTTPStatus.CONFLICT, "index-being-built", "Another process builds the search index anew"),
    streams.LogUnavailable: Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "log-unavailable", "The event log is not available", _UNAVAILABLE_SECONDS
    ),
    streams.ControlError: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "control-unreadable", "The control log can't be read"),
    keys.UnknownKid: Problem(HTTPStatus.NOT_FOUND, "unknown-kid", "There is no such key"),
    keys.NoActiveKey: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "no-active-key", "Nothing can be signed now", _UNAVAILABLE_SECONDS),
    keys.WrongState: Problem(HTTPStatus.CONFLICT, "wrong-key-state", "The key's state does not allow this"),
    keys.NotYetDue: Problem(HTTPStatus.CONFLICT, "not-yet-due", "The key is not due yet"),
    keys.ReasonMissing: Problem(HTTPStatus.BAD_REQUEST, "reason-missing", "A reason is needed"),
    keys.TooManyPublishedKeys: Problem(HTTPStatus.CONFLICT, "too-many-keys", "Too many keys are published"),
    keys.InvalidImport: Problem(HTTPStatus.BAD_REQUEST, "invalid-import", "The key can't be imported"),
    keys.UnknownApproval: Problem(HTTPStatus.NOT_FOUND, "unknown-approval", "There is no such approval"),
    keys.ApprovalClosed: Problem(HTTPStatus.CONFLICT, "approval-closed", "The approval is not pending any more"),
    keys.SecondPersonNeeded: Problem(HTTPStatus.FORBIDDEN, "second-person-needed", "Another person has to approve this"),
    keys.TooManyApprovals: Problem(HTTPStatus.CONFLICT, "too-many-approvals", "Too many approvals are pending"),
    keys.InvalidPolicy: Problem(HTTPStatus.BAD_REQUEST, "invalid-policy", "The policy is not right"),
    keys.InvalidWave: Problem(HTTPStatus.BAD_REQUEST, "invalid-wave", "The wave can't be planned"),
    keys.InvalidClaims: Problem(HTTPStatus.BAD_REQUEST, "invalid-claims", "The claims can't be signed"),
    keys.KeyStoreConflict: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "key-store-conflict", "The key store holds something else"),
    keys.KeyNotFound: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "key-lost", "The key store has lost the key"),
    keys.KeyStoreUnavailable: Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "key-store-unavailable", "The key store is not available", _UNAVAILABLE_SECONDS
    ),
}

NEVER_AT_THE_EDGE: Final[frozenset[type[Exception]]] = frozenset(
    {
        edge.SettingsError,
        edge.AlreadyRunning,
        edge.BackupError,
        edge.ServiceError,
        streams.Changed,
        streams.Overtaken,
        streams.SegmentError,
        keys.MasterKeyError,
        keys.BrokenHistory,
        keys.InvalidJwk,
        keys.UnsupportedJwk,
        keys.InvalidJwks,
        keys.InvalidToken,
    }
)
"""Leaves of the error trees that no request can meet: they are handled, or happen at start."""


def problem(error: Exception) -> Problem | None:
    """The problem of the error's class, or of its nearest base in the table."""
    return next((PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS), None)


def response(status: int, slug: str, title: str, detail: str, *, retry_after: int | None = None, **more: Any) -> JSONResponse:
    """A problem details answer; 401 says how to authenticate (RFC 6750), 429 and 503 when to come again."""
    headers = {"Cache-Control": "no-store"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="tenantry"'
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return JSONResponse(body(status, slug, title, detail, **more), status, headers, MEDIA_TYPE)


def body(status: int, slug: str, title: str, detail: str, **more: Any) -> dict[str, Any]:
    """The problem details themselves."""
    return {"type": TYPE_BASE + slug, "title": title, "status": int(status), "detail": detail, **more}


def described(error: Exception) -> dict[str, Any]:
    """The problem details of a known error, for an answer that has begun already and goes on with them."""
    found = problem(error)
    assert found is not None, "it has none"
    return body(found.status, found.slug, found.title, str(error))


def answer(error: Exception, method: str, path: str) -> JSONResponse:
    """What the error becomes. One that is in no table is a fault of ours, and logged as that of the request."""
    found = problem(error)
    if found is None:
        # The message may hold anything, so it goes to our log and not to the caller.
        _log.error("request_failed", method=method, route=path, exc_info=error)
        return response(
            HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Tenantry failed", "This is a fault of the service; its log says more."
        )
    more: dict[str, Any] = {}
    if isinstance(error, streams.QueryError) and error.position is not None:
        more["position"] = error.position
    if isinstance(error, streams.DecodeError):
        more["reason"] = error.reason
    if isinstance(error, keys.InvalidClaims) and error.index is not None:
        more["index"] = error.index
    retry_after = found.retry_after
    if isinstance(error, keys.KeyStoreUnavailable) and error.retry_after is not None:
        retry_after = ceil(error.retry_after)
    return response(found.status, found.slug, found.title, str(error), retry_after=retry_after, **more)


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem details answer."""

    async def any_error(request: Request, error: Exception) -> JSONResponse:
        return answer(error, request.method, request.scope.get("path", ""))

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        title = HTTPStatus(error.status_code).phrase
        answer = response(error.status_code, title.lower().replace(" ", "-"), title, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    async def validation(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        wrong = [{"where": ".".join(map(str, item["loc"])), "what": item["msg"]} for item in error.errors()]
        detail = "; ".join(f"{item['where']}: {item['what']}" for item in wrong)
        return response(HTTPStatus.BAD_REQUEST, "invalid", "The request is not right", detail, errors=wrong)

    for root in (edge.ServicesError, streams.StreamsError, keys.KeyVaultError):
        app.add_exception_handler(root, any_error)
    app.add_exception_handler(Exception, any_error)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)
