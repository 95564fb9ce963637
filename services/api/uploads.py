"""Forms with a file: `multipart/form-data` (RFC 7578), as browsers send it, small, and only from pages of ours."""

from __future__ import annotations

from email.message import Message
from typing import Final

from fastapi import Request

from services.access.session import Session, check_origin
from services.api.edge import platform
from services.errors import Invalid, TooLarge

_PARTS: Final = 20


async def uploaded(request: Request, session: Session, *, most: int) -> dict[str, bytes]:
    """The parts of the form by their names, each as it was sent; of two with one name the last.

    Raises:
        Forbidden: the form was made or sent by somebody else.
        Invalid: it is no such form.
        TooLarge: it has more than `most` bytes.
    """
    check_origin(request.headers, platform(request).settings.issuer_base)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise TooLarge(f"this form has more than {most:,} bytes; take a smaller file")
    parts = parts_of(request.headers.get("content-type", ""), body)
    session.check_form(parts.get("csrf", b"").decode(errors="replace"))
    return parts


def parts_of(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of the body.

    Raises:
        Invalid: it is no `multipart/form-data`.
    """
    boundary = _parameter(content_type, "boundary")
    if not content_type.lower().startswith("multipart/form-data") or not boundary:
        raise Invalid("this is no form of the console with a file")
    found: dict[str, bytes] = {}
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]
    if not pieces or len(pieces) > _PARTS + 1 or not pieces[-1].startswith(b"--"):
        raise Invalid("this form is not whole, or has too many parts")
    for piece in pieces[:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = dict(line.split(":", 1) for line in head.decode(errors="replace").split("\r\n") if ":" in line)
        described = next((value for name, value in headers.items() if name.lower() == "content-disposition"), "")
        if name := _parameter(described, "name"):
            found[name] = content
    return found


def _parameter(header: str, name: str) -> str:
    message = Message()
    message["X-Header"] = header.replace("\r", " ").replace("\n", " ")
    try:
        value = message.get_param(name, "", header="X-Header")
    except ValueError:  # the number of a part (RFC 2231) with thousands of digits, which Python takes for no number
        raise Invalid("this is no form of the console with a file") from None
    return value if isinstance(value, str) else ""
