"""A tenant's brand: set over the API, kept in the control log, and seen on that tenant's pages and no other."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import httpx
import pytest

from keyvault.durations import DAY
from services.api.uploads import parts_of
from services.errors import Invalid
from services.tenants.brand import LOGOS_A_DAY, Brands
from streams.control_log import ControlEvent
from streams.event_log import CONTROL
from tests.platforms import Site, site
from tests.services.console_browser import Browser, operator_token, token_of
from tests.services.pictures import png

LOGO = png(112, 56)
BRAND = {"name": "Acme & Söhne", "accent": "#7a2d8f", "header": "#2b1033", "logo": base64.b64encode(LOGO).decode()}
ADMIN = ("tenant:admin", "events:read", "keys:read")


@pytest.fixture
async def here(here: Site) -> Site:
    await here.create("acme")
    await here.create("globex")
    return here


async def brand(here: Site, **changes: object) -> httpx.Response:
    return await here.operator.put("/v1/tenants/acme/brand", json=BRAND | changes)


async def test_it_needs_a_token_of_the_tenants_own_administrator(here: Site) -> None:
    assert (await here.client(None).get("/v1/tenants/acme/brand")).status_code == 401
    for method, body in (("GET", None), ("PUT", BRAND)):
        reader, other = await here.token("acme", f"keys:{'read' if body else 'rotate'}"), None
        assert (await reader.request(method, "/v1/tenants/acme/brand", json=body)).status_code == 403
        other = await here.token("globex", "tenant:admin", f"events:{'read' if body else 'write'}")
        assert (await other.request(method, "/v1/tenants/acme/brand", json=body)).status_code == 404


async def test_it_is_answered_as_it_was_set_with_its_contrast(here: Site) -> None:
    empty = (await here.operator.get("/v1/tenants/acme/brand")).json()
    assert {empty[name] for name in ("name", "accent", "accent_dark", "header", "logo")} == {None}
    answer = await brand(here)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["name"], found["accent"], found["header"]) == (BRAND["name"], BRAND["accent"], BRAND["header"])
    assert found["accent_dark"] is None, "derived, not set"
    assert all(ratio >= 4.5 for ratio in found["contrast"].values())
    assert {name: found["logo"][name] for name in ("media_type", "width", "height", "bytes")} == {
        "media_type": "image/png",
        "width": 112,
        "height": 56,
        "bytes": len(LOGO),
    }
    assert (await here.operator.get("/v1/tenants/acme/brand")).json() == found


async def test_what_is_left_out_is_the_consoles_own_but_the_logo_stays(here: Site) -> None:
    await brand(here)
    kept = (await here.operator.put("/v1/tenants/acme/brand", json={"name": "Acme"})).json()
    assert kept["accent"] is kept["header"] is None
    assert kept["logo"] is not None
    gone = (await here.operator.put("/v1/tenants/acme/brand", json={"name": "Acme", "logo": None})).json()
    assert gone["logo"] is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"accent": "#ffcc00"}, "accent #ffcc00 has a contrast of 1.40:1"),
        ({"accent_dark": "#222222"}, "accent_dark #222222 has a contrast of"),
        ({"header": "black"}, "header: 'black' is no colour"),
        ({"name": "x\u202ey"}, "characters that can be seen"),
        ({"logo": "<svg>"}, "in base64"),
        ({"logo": base64.b64encode(b"<svg/>").decode()}, "neither PNG nor JPEG nor WebP"),
        ({"css": "x"}, "css"),
    ],
)
async def test_what_can_not_be_shown_is_refused_and_changes_nothing(here: Site, change: dict[str, str], why: str) -> None:
    answer = await brand(here, **change)
    assert answer.status_code == 400
    assert why in answer.json()["detail"]
    assert not here.platform.brands.of("acme")


async def test_setting_it_again_writes_nothing_and_the_log_of_the_tenant_has_who_did_it_without_the_picture(here: Site) -> None:
    await brand(here)
    before = len(await here.records(CONTROL))
    await brand(here)
    assert len(await here.records(CONTROL)) == before
    await here.settled()
    events = (await here.operator.get("/v1/tenants/acme/events", params={"q": "event.action:brand_*", "sort": "oldest"})).json()["events"]
    assert {event["event.action"] for event in events} == {"brand_changed", "brand_logo_set"}
    assert all(event["user.id"].startswith("operator:") and event["event.category"] == "configuration" for event in events)
    told = next(event["idp"] for event in events if event["event.action"] == "brand_logo_set")
    assert told == {"media_type": "image/png", "width": 112, "height": 56, "bytes": len(LOGO)}


def picture(number: int) -> str:
    return base64.b64encode(png(number + 1, 1)).decode()


async def test_a_tenant_can_not_fill_the_control_log_with_logos(here: Site) -> None:
    for number in range(LOGOS_A_DAY):
        assert (await brand(here, logo=picture(number))).status_code == 200
    before = len(await here.records(CONTROL))
    team = await here.token("acme", "tenant:admin")
    for client in (team, here.operator):
        answer = await client.put("/v1/tenants/acme/brand", json=BRAND | {"name": "New", "logo": picture(LOGOS_A_DAY)})
        assert answer.status_code == 409
        assert re.search(r"20 new ones within a day; set the next one after \d{4}-\d\d-\d\dT", answer.json()["detail"])
    admin = Browser(here)
    await admin.sign_in(await token_of(here, "acme", *ADMIN))
    await admin.open("/console/acme/brand")
    form = {"csrf": admin.hidden("csrf"), "name": "Typed", "do": "save"}
    refused = await admin.client.post("/console/acme/brand", data=form, files={"logo": ("l.png", LOGO)})
    assert (refused.status_code, "set the next one after" in refused.text, 'value="Typed"' in refused.text) == (409, True, True)
    assert len(await here.records(CONTROL)) == before + 2, "the two tokens"
    assert (await brand(here, name="New", logo=picture(LOGOS_A_DAY - 1))).status_code == 200, "the logo stays as it is"
    assert (await brand(here, logo=None)).status_code == 200
    assert (await brand(here, logo=picture(0))).status_code == 409
    body = BRAND | {"logo": picture(LOGOS_A_DAY)}
    assert (await here.operator.put("/v1/tenants/globex/brand", json=body)).status_code == 200, "each tenant by itself"


def test_a_logo_counts_for_a_day() -> None:
    brands = Brands()
    about = {"media_type": "image/png", "width": 1, "height": 1, "image": picture(0)}
    for number in range(LOGOS_A_DAY + 5):
        assert (brands.next_logo_at("acme") == 0) is (number < LOGOS_A_DAY)
        brands.apply("acme", ControlEvent(type="brand_logo_set", at=1000 + number, by="x", data=about))
    assert brands.next_logo_at("acme") == 1005 + DAY, "the last ones count"
    assert brands.next_logo_at("globex") == 0


async def test_it_is_there_after_a_restart_and_gone_with_its_tenant(tmp_path: Path) -> None:
    async with site(tmp_path) as first:
        await first.create("acme")
        await brand(first)
    async with site(tmp_path) as second:
        assert second.platform.brands.of("acme").name == BRAND["name"]
        logo = second.platform.brands.of("acme").logo
        assert logo is not None
        assert logo.data == LOGO
        await second.operator.delete("/v1/tenants/acme")
        assert not second.platform.brands.of("acme")
        sign_in = await Browser(second).open("/console", next="/console/acme")
        assert "brand." not in sign_in


async def test_its_pages_and_its_page_for_signing_in_carry_it_and_no_others_do(here: Site) -> None:
    await brand(here)
    visitor = Browser(here)
    page = await visitor.open("/console/acme")
    assert "<h1>Sign in to <bdi>Acme &amp; Söhne</bdi></h1>" in page
    sheet, logo = files_of(page)
    assert sheet.startswith("/console/acme/brand/brand.")
    assert 'width="56" height="28"' in page
    await visitor.open("/console", next="/console/globex")
    assert "Acme" not in visitor.page.text
    assert "brand/" not in visitor.page.text
    await visitor.sign_in("tnt_wrong_token", next="/console/acme")
    assert visitor.page.status_code == 401
    assert "Sign in to <bdi>Acme" in visitor.page.text
    acme = Browser(here)
    await acme.sign_in(await token_of(here, "acme", "events:read", "keys:read"))
    for path in ("/console/acme", "/console/acme/keys"):
        assert files_of(await acme.open(path)) == (sheet, logo)
        assert ">Brand</a>" not in acme.page.text, "not theirs to set"
    globex = Browser(here)
    await globex.sign_in(await token_of(here, "globex", "events:read"))
    assert "brand/" not in globex.page.text
    assert "Söhne" not in await globex.open("/console/acme")
    assert globex.page.status_code == 404
    assert "brand/" not in globex.page.text


async def test_its_files_are_what_they_say_and_can_do_nothing(here: Site) -> None:
    await brand(here)
    visitor = Browser(here)
    sheet, logo = files_of(await visitor.open("/console/acme"))
    css = await visitor.client.get(sheet)
    assert css.headers["content-type"] == "text/css; charset=utf-8"
    assert "--accent: #7a2d8f;" in css.text
    picture = await visitor.client.get(logo)
    assert (picture.content, picture.headers["content-type"]) == (LOGO, "image/png")
    for answer in (css, picture):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert "immutable" in answer.headers["cache-control"]
    for other in (logo.replace("/acme/", "/globex/"), logo.replace("logo.", "logo.0"), "/console/acme/brand/..%2fkeys"):
        assert (await visitor.client.get(other)).status_code == 404
    await brand(here, logo=None)
    assert (await visitor.client.get(logo)).status_code == 404, "only the present ones are there"


async def test_the_form_previews_and_sets_it(here: Site) -> None:
    admin = Browser(here)
    await admin.sign_in(await token_of(here, "acme", *ADMIN))
    assert ">Brand</a>" in admin.page.text
    await admin.open("/console/acme/brand")
    form = {"csrf": admin.hidden("csrf"), "name": "Acme", "accent": "#7a2d8f", "accent_dark": "", "header": "#2b1033"}
    file = {"logo": ("logo.svg", LOGO, "image/svg+xml")}  # whatever it is called
    page = (await admin.client.post("/console/acme/brand", data=form | {"do": "preview"}, files=file)).text
    assert "not saved yet" in page
    assert 'fill="#2b1033"' in page
    assert "data:image/png;base64," in page
    assert not here.platform.brands.of("acme")
    page = (await admin.client.post("/console/acme/brand", data=form | {"do": "save"}, files=file)).text
    assert "Saved: " in page
    saved = here.platform.brands.of("acme")
    assert (saved.name, saved.accent, saved.logo and saved.logo.data) == ("Acme", "#7a2d8f", LOGO)
    refused = await admin.client.post("/console/acme/brand", data=form | {"do": "save", "accent": "#ffee00"}, files={"logo": ("", b"")})
    assert refused.status_code == 400
    assert "Nothing was changed. accent #ffee00 has a contrast of" in refused.text
    assert 'value="#ffee00"' in refused.text
    assert "in the colours that are set" in refused.text
    assert "On light pages: accent <code>#7a2d8f</code>" in refused.text
    pickers = re.findall(r'type="color" value="([^"]+)" data-for="([a-z_]+)"', refused.text)
    dark = re.findall(r"On dark pages: accent <code>(#[0-9a-f]{6})</code>", refused.text)
    assert pickers == [("#ffee00", "accent"), (dark[0], "accent_dark"), ("#2b1033", "header")]
    wrong = {"logo": ("logo.png", b"no picture")}
    refused = await admin.client.post("/console/acme/brand", data=form | {"do": "save", "accent": "#0b3f64", "header": ""}, files=wrong)
    assert refused.status_code == 400
    assert "On light pages: accent <code>#0b3f64</code>" in refused.text, "what was typed is good"
    assert 'value="#ffffff" data-for="header"' in refused.text, "as the preview has it"
    assert "not saved yet" in refused.text
    gone = await admin.client.post("/console/acme/brand", data=form | {"do": "save", "remove_logo": "1"}, files={"logo": ("", b"")})
    assert gone.status_code == 200
    assert here.platform.brands.of("acme").logo is None


async def test_the_form_is_nobody_elses_to_send(here: Site) -> None:
    admin = Browser(here)
    await admin.sign_in(await token_of(here, "acme", *ADMIN))
    await admin.open("/console/acme/brand")
    form = {"csrf": admin.hidden("csrf"), "name": "Evil", "do": "save"}
    empty = {"logo": ("", b"")}
    assert (await admin.client.post("/console/acme/brand", data=form | {"csrf": "x"}, files=empty)).status_code == 403
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert (await admin.client.post("/console/acme/brand", data=form, files=empty, headers=elsewhere)).status_code == 403
    assert (await admin.client.post("/console/globex/brand", data=form, files=empty)).status_code == 404
    assert (await admin.client.post("/console/acme/brand", data=form)).status_code == 400, "no multipart"
    assert (await admin.client.post("/console/acme/brand", data=form, files={"logo": ("x", bytes(60_000))})).status_code == 413
    reader = Browser(here)
    await reader.sign_in(await token_of(here, "acme", "events:read"))
    await reader.open("/console/acme/brand")
    assert reader.page.status_code == 403
    operator = Browser(here)
    await operator.sign_in(operator_token(here))
    assert "Brand" in await operator.open("/console/acme/brand")
    assert not here.platform.brands.of("acme")
    assert not here.platform.brands.of("globex")


async def test_operators_are_told_whose_pages_these_are_unless_the_brand_says_so(here: Site) -> None:
    operator = Browser(here)
    await operator.sign_in(operator_token(here))
    for name, told in (("Other", '<span class="tenant">'), ("Acme", '<span class="tenant hidden">')):
        await brand(here, name=name)
        assert told in await operator.open("/console/acme/brand")


def test_parts_are_what_was_sent_to_the_byte() -> None:
    data = bytes(range(256)) * 3 + b"\r\n--x\r\n\r\n--\r\n"
    request = httpx.Request("POST", "http://test", data={"a": "1", "ü": "ö"}, files={"logo": ("l.png", data)})
    assert parts_of(request.headers["content-type"], request.read()) == {"a": b"1", "ü": "ö".encode(), "logo": data}
    for kind, body in (("text/plain", b""), ("multipart/form-data; boundary=x", b""), ("multipart/form-data; boundary=x", b"--x\r\n\r\n")):
        with pytest.raises(Invalid):
            parts_of(kind, body)


@pytest.mark.parametrize("broken", ["0" * 5000, "1" * 5000], ids=["zeros", "ones"])
def test_a_number_that_is_none_is_refused_wherever_it_stands(broken: str) -> None:
    with pytest.raises(Invalid):
        parts_of(f"multipart/form-data; boundary*{broken}=x", b"")
    head = f"Content-Disposition: form-data; name*{broken}=a".encode()
    with pytest.raises(Invalid):
        parts_of("multipart/form-data; boundary=x", b"--x\r\n" + head + b"\r\n\r\n1\r\n--x--\r\n")


def files_of(page: str) -> tuple[str, str]:
    """The style sheet and the logo that a page carries."""
    sheet = re.search(r'href="(/console/[a-z]+/brand/brand\.[0-9a-f]{16}\.css)"', page)
    logo = re.search(r'src="(/console/[a-z]+/brand/logo\.[0-9a-f]{16}\.png)"', page)
    assert sheet is not None
    assert logo is not None
    return sheet[1], logo[1]
