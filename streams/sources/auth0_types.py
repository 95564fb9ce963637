"""What the type codes of Auth0's log events mean: https://auth0.com/docs/deploy-monitor/logs/log-event-type-codes.

Auth0 adds types all the time, so most of them are read by the pattern that they follow: `s…` for success and `f…` for failure
in the short codes (`ss`, `feacft`), a last word in the long ones (`ciba_start_failed`). The exceptions are listed.
"""

from __future__ import annotations

import re
from typing import Final

_SUCCESS: Final = frozenset(
    {
        "cls",  # passwordless code or link was sent
        "cs",  # passwordless code was sent
        "du",  # user was deleted
        "gd_auth_email_verification",
        "gd_send_email",
        "gd_send_email_verification",
        "gd_send_pn",
        "gd_send_sms",
        "gd_send_voice",
        "gd_unenroll",
        "gd_update_device_account",
        "mgmt_api_read",  # a read of secrets through the Management API went well
        "organization_member_added",
        "success_on_behalf_of_token_exchange",
        "ublkdu",  # a block was released
    }
)
_FAILURE: Final = frozenset(
    {
        "api_limit",  # requests were refused
        "failed_on_behalf_of_token_exchange",
        "limit_delegation",
        "limit_mu",  # address blocked: too many failures with many names
        "limit_phone",
        "limit_sul",  # user blocked: too many sign-ins
        "limit_ui",
        "limit_wc",  # account blocked: too many wrong passwords
        "pwd_leak",  # sign-in with a leaked password
        "reset_pwd_leak",
        "signup_pwd_leak",
    }
)
_SHORT: Final = re.compile(r"[sf][a-z]*")
_WORDS: Final = {
    "succeeded": "success",
    "succeed": "success",
    "success": "success",
    "completed": "success",
    "complete": "success",
    "failed": "failure",
    "failure": "failure",
    "rejected": "failure",
    "error": "failure",
    "exceed": "failure",
}

_SESSION: Final = frozenset({"slo", "flo"})
_SESSION_SUFFIXES: Final = ("_logout_succeeded", "_logout_failed")
_IAM: Final = frozenset(
    {
        *("ss", "fs", "du", "sdu", "fdu"),  # sign-up and deletion
        *("sce", "fce", "scp", "fcp", "scpn", "fcpn", "scpr", "fcpr", "scu", "fcu", "fcph", "scph"),  # e-mail, password, phone, name
        *("sv", "fv", "svr", "fvr", "si", "fi", "sui", "fui", "sscim", "fscim"),  # verification, invitation, import, SCIM
        *("organization_member_added", "wum", "fpurh", "gd_unenroll", "gd_update_device_account", "gd_enrollment_complete"),
    }
)
_CONFIGURATION: Final = frozenset({"sapi", "fapi", "mgmt_api_read", "gd_tenant_update", "depnote", "appi", "resource_cleanup"})
_CONFIGURATION_PREFIXES: Final = ("kms_", "custom_domain", "sys_", "directory_sync_", "acl", "ss_sso_", "admin_")


def outcome(kind: str) -> str:
    """`success`, `failure`, or `unknown` for warnings, notices, challenges and what this version does not know."""
    if kind in _SUCCESS:
        return "success"
    if kind in _FAILURE:
        return "failure"
    if _SHORT.fullmatch(kind):
        return "success" if kind[0] == "s" else "failure"
    return _WORDS.get(kind.rpartition("_")[2], "unknown")


def category(kind: str) -> str:
    """The ECS category: authentication unless it is known to be about sessions, accounts or settings."""
    if kind in _SESSION or kind.endswith(_SESSION_SUFFIXES):
        return "session"
    if kind in _IAM:
        return "iam"
    if kind in _CONFIGURATION or kind.startswith(_CONFIGURATION_PREFIXES):
        return "configuration"
    return "authentication"
