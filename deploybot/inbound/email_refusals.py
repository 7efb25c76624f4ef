"""Why a mail does not count as an answer, in words for its sender; deciding that is `email_intake`'s."""

HOW = (
    "To answer a request, reply to the mail that asks you, from your own address, with nothing but "
    "approve on the first line, or deny and why."
)
NOT_AN_ANSWER = f"Your mail was not taken as an answer, so nothing was approved or deployed. {HOW}"
UNREADABLE = (
    "Your reply has no answer above the quoted text, so nothing was approved or deployed. "
    "Reply again with approve, or deny and why, on the first line."
)
READ_AS_WORDS = (
    "Your reply was read as words and not as an answer: it went to the agent, and nothing was "
    "approved or deployed. To refuse, begin a reply with deny and why; to approve, with nothing but "
    "approve on its first line."
)
UNSURE = (
    "{why} So your reply with the code did not count, nothing was approved, and the code is still "
    "good. Reply again in a few minutes, or answer in Slack or over the API."
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
