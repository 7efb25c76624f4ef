"""How mail programs put a reply together: a style is what is written, made into a body, HTML or not."""

from collections.abc import Callable
from dataclasses import dataclass

ASKED = """deploybot asks for your approval: Deploy backend to production.

Commit: 4af9ec0
To approve, reply to this mail with the one word approve on the first line.
approve
deny: and why, to refuse it
"""
MARKED = "".join(f"> {line}\n" for line in ASKED.splitlines())
BOT = "deploybot <deploybot@bot.example>"


@dataclass(frozen=True)
class Style:
    """One way to quote; `first` says whether what is written stands on the first line."""

    body: Callable[[str], str]
    html: bool = False
    first: bool = True


def _below(text: str) -> Style:
    return Style(lambda said: f"{said}\n\n{text}")


def _between(said: str) -> str:
    """Answer between the quoted lines: the words stand behind the first quoted paragraph."""
    begin, _, rest = MARKED.partition("> \n")
    return f"On Mon, Mar 2, 2026 at 12:03 PM {BOT} wrote:\n{begin}\n{said}\n\n{rest}"


def _as_html(said: str) -> str:
    lines = "".join(f"<div>{line or '<br>'}</div>" for line in said.splitlines())
    return (
        f"<html><head><style>p {{}}</style></head><body>{lines}<br>"
        f'<div class="gmail_quote"><div>On Mon, Mar 2, 2026 deploybot wrote:<br></div>'
        f"<blockquote>{ASKED.replace(chr(10), '<br>')}</blockquote></div></body></html>"
    )


def _outlook_html(said: str) -> str:
    lines = "".join(f"<p class='MsoNormal'>{line or '&nbsp;'}</p>" for line in said.splitlines())
    return (
        f"<body>{lines}<div style='border-top:solid'><p><b>From:</b> deploybot &lt;d@bot.example&gt;"
        "<br><b>Sent:</b> Monday, March 2, 2026 12:03 PM<br><b>To:</b> Ben<br><b>Subject:</b> x</p>"
        f"</div><p>{ASKED.replace(chr(10), '<br>')}</p></body>"
    )


STYLES: dict[str, Style] = {
    "gmail": _below(f"On Mon, Mar 2, 2026 at 12:03 PM {BOT} wrote:\n\n{MARKED}"),
    "gmail, wrapped": _below(
        f"On Mon, Mar 2, 2026 at 12:03 PM {BOT.replace(' <', chr(10) + '<')} wrote:\n\n{MARKED}"
    ),
    "outlook": _below(
        f"From: {BOT}\nSent: Monday, March 2, 2026 12:03 PM\nTo: Ben\nSubject: x\n\n{ASKED}"
    ),
    "outlook, ruled": _below(f"{'_' * 32}\nFrom: {BOT}\n\n{ASKED}"),
    "outlook, original message": _below(
        f"-----Original Message-----\nFrom: {BOT}\nSent: Monday, March 2, 2026\n\n{ASKED}"
    ),
    "outlook, German": _below(
        f"Von: {BOT}\nGesendet: Montag, 2. März 2026 12:03\nAn: Ben\nBetreff: x\n\n{ASKED}"
    ),
    "apple": _below(f"> On 2 Mar 2026, at 12:03, {BOT} wrote:\n> \n{MARKED}"),
    "mobile": _below(
        f"Sent from my iPhone\n\n> On 2 Mar 2026, at 12:03, {BOT} wrote:\n> \n{MARKED}"
    ),
    "mobile, outlook": _below(
        f"Get Outlook for iOS<https://aka.example/o>\n{'_' * 32}\nFrom: {BOT}\n\n{ASKED}"
    ),
    "inline": Style(_between, first=False),
    "bottom-posted": Style(
        lambda said: f"On 2026-03-02 12:03, {BOT} wrote:\n{MARKED}\n{said}\n", first=False
    ),
    "German": _below(f"Am Mo., 2. März 2026 um 12:03 Uhr schrieb {BOT}:\n\n{MARKED}"),
    "French": _below(f"Le lun. 2 mars 2026 à 12:03, {BOT} a écrit :\n\n{MARKED}"),
    "French, wrapped": _below(f"Le lun. 2 mars 2026 à 12:03, {BOT} a\nécrit :\n\n{MARKED}"),
    "Japanese": _below(f"2026年3月2日(月) 12:03 {BOT}:\n\n{MARKED}"),
    "Japanese, outlook": _below(
        f"差出人: {BOT}\n送信日時: 2026年3月2日 12:03\n宛先: Ben\n\n{ASKED}"
    ),
    "Spanish": _below(f"El lun, 2 mar 2026 a las 12:03, {BOT} escribió:\n\n{MARKED}"),
    "forwarded": _below(
        f"---------- Forwarded message ---------\nFrom: {BOT}\nDate: Mon, Mar 2, 2026\n"
        f"Subject: x\nTo: Ben\n\n{ASKED}"
    ),
    "HTML only": Style(_as_html, html=True),
    "HTML only, outlook": Style(_outlook_html, html=True),
    "a signature with the word approve": _below(
        f"-- \nBen\napprove\nOn a mission to approve\n\nOn 2026-03-02 12:03, {BOT} wrote:\n{MARKED}"
    ),
    "plain quote": _below(MARKED),
    "nothing quoted": Style(lambda said: f"{said}\n"),
}
"""Name → style."""
