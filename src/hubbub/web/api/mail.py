"""The mail of development mode, to look at: there is no such route in any other mode."""

from collections.abc import Sequence
from html import escape

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from hubbub.core.times import rfc3339
from hubbub.mail.base import Sent
from hubbub.web.api.site import prefers_html
from hubbub.web.deps import Use

router = APIRouter(include_in_schema=False)


@router.get("/dev/mail")
async def read_mail(use: Use, request: Request) -> Response:
    """The newest letters, newest first: as a page for whoever prefers HTML, else as JSON."""
    sent = () if use.outbox is None else use.outbox.sent()
    vary = {"Vary": "Accept"}
    if prefers_html(request.headers.get("accept", "")):
        return HTMLResponse(_page(sent), headers=vary)
    return JSONResponse(
        [
            {
                "to": each.mail.to,
                "subject": each.mail.subject,
                "text": each.mail.text,
                "sent_at": rfc3339(each.at),
            }
            for each in sent
        ],
        headers=vary,
    )


def _page(sent: Sequence[Sent]) -> str:
    letters = "\n".join(
        f"<article>\n<h2>{escape(each.mail.subject)}</h2>\n"
        f"<p>To {escape(each.mail.to)}, {rfc3339(each.at)}</p>\n"
        f"<pre>{escape(each.mail.text)}</pre>\n</article>"
        for each in sent
    )
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n<title>Mail</title>\n'
        '<link rel="stylesheet" href="/static/css/base.css">\n'
        f"<main>\n<h1>Mail</h1>\n{letters or '<p>There is none yet.</p>'}\n</main>\n</html>\n"
    )
