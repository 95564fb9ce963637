"""Janssen, Auth0, Okta and CloudEvents, by their documented fields."""

from __future__ import annotations

from typing import Any

import pytest

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.sources.registry import named
from streams.sources.source import Normalised, Selector
from tests.streams.sources.samples import events

SAMPLES = {"janssen": "janssen audit", "auth0": "auth0 logs", "okta": "okta system-log", "cloudevents": "cloudevents events"}


def normalised(source: str) -> list[Normalised]:
    return [named(source).normalise(raw) for raw in events(SAMPLES[source])]


def column(source: str, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(event, name) for name in names) for event in normalised(source)]


def test_janssen() -> None:
    assert column("janssen", "action", "category", "outcome") == [
        ("session_authenticated", "authentication", "success"),
        ("user_authorization", "authentication", "success"),
        ("token_request", "authentication", "failure"),
        ("client_registration", "configuration", "success"),
        ("session_destroyed", "session", "success"),
        ("ssa_create", "configuration", "success"),
    ]
    first, *_, fifth, _ = normalised("janssen")
    assert first == Normalised(
        selectors=(Selector("client_id", "1800.3f0c5a52-6a64-4d3e-9c0e-2f6a6f1f0b11"),),
        id=None,
        time=1795452711007,
        action="session_authenticated",
        category="authentication",
        outcome="success",
        dataset="janssen.audit",
        user_name="alice@tenant-a.example",
        client_id="1800.3f0c5a52-6a64-4d3e-9c0e-2f6a6f1f0b11",
        source_ip="192.0.2.41",
    )
    assert fifth.selectors == ()


def test_auth0() -> None:
    assert column("auth0", "action", "category", "outcome", "reason") == [
        ("s", "authentication", "success", None),
        ("fp", "authentication", "failure", "Wrong email or password."),
        ("seacft", "authentication", "success", None),
        ("slo", "session", "success", None),
        ("limit_wc", "authentication", "failure", "Account blocked after too many failures"),
        ("sapi", "configuration", "success", None),
        ("gd_auth_rejected", "authentication", "failure", "MFA rejected"),
        ("w", "authentication", "unknown", None),
    ]
    _, _, _, logout, _, enveloped, _, _ = normalised("auth0")
    assert logout == Normalised(
        selectors=(Selector("tenant_name", "tenant-a"),),
        id="90020261123165210004000000000000000004",
        time=1795452730004,
        action="slo",
        category="session",
        outcome="success",
        dataset="auth0.log",
        user_id="auth0|00000000000000000000000a",
        user_name="bob@tenant-a.example",
        client_id="clientA0000000000000000000000001",
        session_id="sessionA000000000000000000000001",
        source_ip="192.0.2.15",
        message="User successfully logged out",
    )
    assert enveloped.selectors == (Selector("tenant_name", "tenant-b"),)
    assert enveloped.id == "90020261123165400001000000000000000006"
    assert enveloped.time == 1795452840001


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        *((kind, "success") for kind in ("s", "ss", "ssa", "sertft", "sdeleacft", "cls", "du", "gd_auth_succeed", "gd_send_sms")),
        *(
            (kind, "success")
            for kind in ("ciba_exchange_succeeded", "directory_sync_completed", "ss_sso_success", "kms_key_management_success")
        ),
        *((kind, "failure") for kind in ("f", "fu", "feacft", "fsa", "limit_mu", "pwd_leak", "signup_pwd_leak", "api_limit")),
        *((kind, "failure") for kind in ("gd_send_pn_failure", "ciba_start_failed", "gd_otp_rate_limit_exceed", "ss_sso_failure")),
        *(
            (kind, "unknown")
            for kind in ("w", "wn", "depnote", "mfar", "pla", "gd_start_auth", "api_limit_warning", "sys_update_start", "new")
        ),
    ],
)
def test_outcomes_of_auth0_types(kind: str, outcome: str) -> None:
    raw = {"log_id": "1", "date": "2026-11-23T16:51:50.932Z", "type": kind, "tenant_name": "a"}

    assert named("auth0").normalise(raw).outcome == outcome


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("fepft", "authentication"),
        ("new_thing", "authentication"),
        ("oidc_backchannel_logout_failed", "session"),
        ("scp", "iam"),
        ("kms_key_state_changed", "configuration"),
    ],
)
def test_categories_of_auth0_types(kind: str, category: str) -> None:
    raw = {"log_id": "1", "date": "2026-11-23T16:51:50.932Z", "type": kind, "tenant_name": "a"}

    assert named("auth0").normalise(raw).category == category


def test_okta() -> None:
    assert column("okta", "action", "category", "outcome", "reason", "session_id") == [
        ("user.session.start", "authentication", "success", None, "trs0000000000000000000001"),
        ("user.session.start", "authentication", "failure", "VERIFICATION_ERROR", "unknown"),
        ("policy.evaluate_sign_on", "configuration", "unknown", "Sign-on policy evaluation resulted in CHALLENGE", None),
        ("app.oauth2.token.grant.access_token", "authentication", "success", None, None),
        ("user.lifecycle.create", "iam", "success", None, None),
        ("zone.update", "configuration", "failure", "Not permitted", None),
    ]
    assert normalised("okta")[3] == Normalised(
        selectors=(),
        id="00000000-0000-4000-8000-000000000004",
        time=1795452750250,
        action="app.oauth2.token.grant.access_token",
        category="authentication",
        outcome="success",
        dataset="okta.system",
        user_id="0oa0000000000000000b",
        user_name="0oa0000000000000000b",
        client_id="0oa0000000000000000b",
        source_ip="2001:db8::33",
        message="OAuth2 access token is granted",
    )


def test_cloudevents() -> None:
    assert column("cloudevents", "id", "time", "action", "outcome", "message") == [
        ("https://idp.example.com/tenants/a#1", 1795452710932, "com.example.login.succeeded", "success", "users/erin"),
        ("https://idp.example.com/tenants/b#1", 1795452710500, "com.example.login.failed", "failure", None),
        ("/devices/door%233#A234-1234-1234", None, "com.example.door.opened", "unknown", None),
        ("urn:example:directory#77", 1795452720000, "com.example.sync.error", "failure", "nightly"),
    ]
    assert normalised("cloudevents")[0].selectors == (Selector("source", "https://idp.example.com/tenants/a"),)


def test_no_two_cloudevents_share_an_id() -> None:
    pairs = [("a#b", "c"), ("a", "b#c"), ("a%23b", "c"), ("a", "b%23c"), ("a%2523b", "c")]
    ids = {
        named("cloudevents").normalise({"specversion": "1.0", "type": "t", "source": source, "id": event_id}).id
        for source, event_id in pairs
    }

    assert len(ids) == len(pairs)


@pytest.mark.parametrize("version", ["0.3", "2.0"])
def test_other_versions_of_cloudevents_are_refused(version: str) -> None:
    with pytest.raises(DecodeError, match=r"only CloudEvents 1\.0") as caught:
        named("cloudevents").normalise({"specversion": version, "type": "t", "source": "s", "id": "1"})
    assert caught.value.reason == Reason.UNKNOWN_FORMAT


@pytest.mark.parametrize(
    ("source", "changes", "reason", "message"),
    [
        ("janssen", {"action": None}, Reason.MISSING_FIELD, "`action` is missing"),
        ("janssen", {"success": "yes"}, Reason.WRONG_TYPE, "`success` must be a boolean, not a text"),
        ("janssen", {"timestamp": "1795452711007"}, Reason.WRONG_TYPE, "`timestamp` must be epoch milliseconds"),
        ("auth0", {"tenant_name": None}, Reason.MISSING_FIELD, "`tenant_name` is missing"),
        ("auth0", {"log_id": 5}, Reason.WRONG_TYPE, "`log_id` must be a text"),
        ("auth0", {"date": "yesterday"}, Reason.WRONG_TYPE, "`date` must be an ISO 8601 time with a zone"),
        ("auth0", {"type": None, "data": []}, Reason.WRONG_TYPE, "`data` must be an object"),
        ("okta", {"uuid": None}, Reason.MISSING_FIELD, "`uuid` is missing"),
        ("okta", {"published": 1795452711007}, Reason.WRONG_TYPE, "`published` must be a text"),
        ("okta", {"actor": "carol"}, Reason.WRONG_TYPE, "`actor` must be an object"),
        ("okta", {"outcome": {"result": True}}, Reason.WRONG_TYPE, "`outcome.result` must be a text, not a boolean"),
        ("cloudevents", {"source": ""}, Reason.MISSING_FIELD, "`source` is missing"),
        ("cloudevents", {"id": 1}, Reason.WRONG_TYPE, "`id` must be a text"),
        ("cloudevents", {"time": "2026-11-23T16:51:50"}, Reason.WRONG_TYPE, "`time` must be an ISO 8601 time with a zone"),
    ],
)
def test_what_is_wrong_is_named(source: str, changes: dict[str, Any], reason: Reason, message: str) -> None:
    raw = {**events(SAMPLES[source])[0], **changes}

    with pytest.raises(DecodeError) as caught:
        named(source).normalise(raw)

    assert caught.value.reason == reason
    assert message in str(caught.value)


@pytest.mark.parametrize(("text", "ms"), [("0001-01-01T00:00:00+14:00", -62135647200000), ("9999-12-31T23:59:59-14:00", 253402351199000)])
def test_times_in_the_years_1_and_9999_are_kept(text: str, ms: int) -> None:
    assert named("okta").normalise({"uuid": "1", "eventType": "t", "published": text}).time == ms
