"""Why a mail does not count as an answer, in words for its sender; deciding that is `email_intake`'s."""

MISUSED = "code_misused"
"""Reason code of a reply code that came from somebody else; it ends the code."""

HOW = (
    "To answer a request, reply to the mail that asks you, from your own address, with nothing but "
    "approve on the first line, or deny and why."
)
NOT_AN_ANSWER = f"Your mail was not taken as an answer, so nothing was approved or deployed. {HOW}"
UNREADABLE = (
    "Your reply has no answer above the quoted text, so nothing was approved or deployed. "
    "Reply again with approve, or deny and why, on the first line."
)
REVOKED = (
    "Somebody else has used your reply code, so it no longer counts; nothing was approved. "
    "Answer in Slack or over the API instead."
)
NOT_BY_MAIL = (
    "Requests for {environment} are not answered by mail, so nothing changed. "
    "Answer in Slack or over the API instead."
)
CONFIRM_ELSEWHERE = (
    "This change must be confirmed on its own, so it is not approved by mail; nothing changed. "
    "Answer in Slack, on its page or over the API instead."
)
STOLEN = (
    "A mail that says it is from {address} carried your reply code, and could not be shown to be "
    "yours. It was refused: nothing was approved, and the code no longer counts. Answer in Slack "
    "or over the API, and tell your operator."
)
