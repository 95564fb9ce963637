"""The pages of access tokens: what can be given, for how long, and that a secret is on one page only."""

from __future__ import annotations

from dashboards.console.frame import Frame
from dashboards.console.render import render
from dashboards.console.tokens_page import AS_MINE, SCOPE_MEANINGS, MintedPage, TokenForm, TokenLine, TokensPage, grants, lives
from keyvault.durations import DAY
from services.access.scopes import TENANT_SCOPES
from tests.dashboards.hostile import HOSTILE, is_text
from tests.keyvault.made import NOW

TOKEN = TokenLine("7f3a", HOSTILE, ("events:read",), NOW, HOSTILE, NOW + DAY, expired=False, own=False)
SECRET = "tnt_7f3a_secret"


def page(*tokens: TokenLine, form: TokenForm | None = None) -> str:
    scopes = grants(frozenset({"events:read", "keys:read"}))
    found = TokensPage(
        tenant="acme", now=NOW, tokens=tokens, older=None, grants=scopes, lives=lives(NOW, None), form=form or TokenForm(), trouble=HOSTILE
    )
    return render(found, Frame())


def test_every_scope_of_a_tenant_has_its_meaning() -> None:
    assert set(SCOPE_MEANINGS) == {scope.value for scope in TENANT_SCOPES}


def test_only_what_the_visitor_holds_can_be_given() -> None:
    html = page()
    assert 'name="scope.keys:read"' in html
    assert 'name="scope.keys:revoke"' not in html
    assert "platform:admin" not in html


def test_a_token_lives_no_longer_than_the_one_that_mints_it() -> None:
    assert [name for name, _ in lives(NOW, None)] == ["30", "90", "365", "never"]
    assert [name for name, _ in lives(NOW, NOW + 100 * DAY)] == ["30", "90", AS_MINE]


def test_names_are_text_also_as_they_were_typed() -> None:
    assert is_text(page(TOKEN, form=TokenForm(HOSTILE, frozenset({HOSTILE}), HOSTILE)))
    assert is_text(render(MintedPage("acme", NOW, TOKEN, SECRET), Frame()))


def test_the_visitors_own_token_and_one_that_has_expired_are_marked() -> None:
    html = page(TokenLine("1", "mine", ("keys:read",), NOW, "operator:1", None, expired=False, own=True))
    assert "you are signed in with it" in html
    assert "That ends your own session, too." in html
    assert ">expired<" in page(TokenLine("1", "old", (), NOW - DAY, "operator:1", NOW - 1, expired=True, own=False))


def test_nothing_prints_the_secret_but_its_page() -> None:
    minted = MintedPage("acme", NOW, TOKEN, SECRET)
    assert SECRET in render(minted, Frame())
    assert SECRET not in repr(minted)
    assert SECRET not in page(TOKEN)
