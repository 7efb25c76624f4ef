import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploybot.inbound.email_body import html_as_text
from deploybot.inbound.email_reading import written
from deploybot.inbound.email_reply import Approve, Deny, Misplaced, Nothing, meaning

ASKED = """deploybot asks for your approval: Deploy backend to production.

Commit: 4af9ec0
To approve, reply to this mail with the one word approve on the first line.
approve
"""
MARKED = "".join(f"> {line}\n" for line in ASKED.splitlines())
HTML = ASKED.replace("\n", "<br>")

STYLES = {
    "gmail": f"{{}}\n\nOn Mon, Mar 2, 2026 at 12:03 PM deploybot <d@bot.example> wrote:\n\n{MARKED}",
    "gmail, wrapped": f"{{}}\n\nOn Mon, Mar 2, 2026 at 12:03 PM deploybot\n<d@bot.example> wrote:\n\n{MARKED}",
    "gmail, German": f"{{}}\n\nAm Mo., 2. März 2026 um 12:03 Uhr schrieb deploybot <d@bot.example>:\n\n{MARKED}",
    "gmail, French": f"{{}}\n\nLe lun. 2 mars 2026 à 12:03, deploybot <d@bot.example> a écrit :\n\n{MARKED}",
    "outlook": f"{{}}\n\nFrom: deploybot <d@bot.example>\nSent: Monday, March 2, 2026 12:03 PM\nTo: Ben\nSubject: x\n\n{ASKED}",
    "outlook, German": f"{{}}\n\nVon: deploybot <d@bot.example>\nGesendet: Montag, 2. März 2026 12:03\nAn: Ben\n\n{ASKED}",
    "outlook, ruled": f"{{}}\n\n________________________________\nFrom: deploybot <d@bot.example>\n\n{ASKED}",
    "original message": f"{{}}\n\n-----Original Message-----\nFrom: deploybot\n\n{ASKED}",
    "apple": f"{{}}\n\n> On 2 Mar 2026, at 12:03, deploybot <d@bot.example> wrote:\n> \n{MARKED}",
    "phone": f"{{}}\n\nSent from my iPhone\n\n> On 2 Mar 2026, at 12:03, deploybot wrote:\n> \n{MARKED}",
    "signed": f"{{}}\n\n-- \nBen\nShop Ltd\n\nOn 2026-03-02 12:03, deploybot wrote:\n{MARKED}",
    "plain quote": f"{{}}\n\n{MARKED}",
    "nothing quoted": "{}\n",
    "windows lines": f"{{}}\r\n\r\n{MARKED}".replace("\n", "\r\n").replace("\r\r", "\r"),
}
each_style = pytest.mark.parametrize("style", STYLES.values(), ids=STYLES.keys())


@each_style
@pytest.mark.parametrize("word", ["approve", "Approve!", "YES", "ok", "lgtm", "ship it", "  yes  "])
def test_a_yes_on_the_first_line_approves_in_every_style(style: str, word: str) -> None:
    assert isinstance(meaning(style.format(word)), Approve)


@each_style
@pytest.mark.parametrize(
    "said",
    [
        "deny: deploy the backend first",
        "Reject, deploy the backend first",
        "deny\ndeploy the backend first",
    ],
)
def test_a_no_carries_its_words_in_every_style(style: str, said: str) -> None:
    denied = meaning(style.format(said))

    assert isinstance(denied, Deny)
    assert denied.feedback == "deploy the backend first"


@each_style
@pytest.mark.parametrize(
    "said",
    [
        "No, please do not deploy",
        "What does this change?",
        "yes?",
        "approve, but only on staging",
        "ok but not before five",
        "I would approve this if I could",
        "approved by nobody",
        "rejecting this would be silly",
        "> approve was what I wanted to write",
    ],
)
def test_anything_else_decides_nothing_in_any_style(style: str, said: str) -> None:
    assert not isinstance(meaning(style.format(said)), Approve | Deny)


@each_style
def test_an_empty_reply_says_nothing_whatever_it_quotes(style: str) -> None:
    assert isinstance(meaning(style.format("")), Nothing)
    assert isinstance(meaning(style.format("\n \n")), Nothing)


@each_style
def test_only_what_was_written_is_kept(style: str) -> None:
    text = written(style.format("Please wait.\n\nBen is ill."))

    assert text == "Please wait.\n\nBen is ill."


@pytest.mark.parametrize("word", ["approve", "deny this", "yes"])
def test_an_answer_below_the_quotation_is_told_apart_and_does_not_count(word: str) -> None:
    assert isinstance(meaning(f"{MARKED}\n{word}\n"), Misplaced)


def test_answers_between_quoted_lines_are_kept_whole() -> None:
    body = "> deploy backend?\nyes please\n> and the frontend?\nnot yet\n"

    assert written(body) == body.strip()


def test_words_below_an_attribution_of_ones_own_are_not_lost() -> None:
    assert written("On reflection, as Ben wrote:\ndeploy backend") == (
        "On reflection, as Ben wrote:\ndeploy backend"
    )


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>approve</p><blockquote><p>deny</p></blockquote>", "approve\n> deny"),
        ("<div>No</div><div class='gmail_quote'>approve<br>now</div>", "No\n> approve\n> now"),
        ("<style>p{}</style><script>approve</script>Why?", "Why?"),
        ("<div style='display: none'>approve</div><div>No</div>", "No"),
        ("a &lt;b&gt;&nbsp;c", "a <b> c"),
    ],
)
def test_html_is_read_as_people_see_it(markup: str, text: str) -> None:
    assert html_as_text(markup) == text


@given(st.text())
def test_no_text_is_read_as_a_yes_unless_its_first_line_is_one(body: str) -> None:
    lines = [line for line in body.replace("\r", "\n").split("\n") if line.strip()]
    if isinstance(meaning(body), Approve):
        assert lines[0].strip().rstrip(".! \t").casefold() in {
            "approve",
            "approved",
            "yes",
            "ok",
            "okay",
            "lgtm",
            "ship it",
        }


@given(st.text(alphabet="<>/abdivp &;\"'=blockquote\n"))
def test_any_markup_can_be_read(markup: str) -> None:
    assert isinstance(html_as_text(markup), str)


def test_a_page_of_a_million_open_tags_is_read_in_time() -> None:
    assert html_as_text("<div>" * 100_000 + "x") == "x"
