"""What people are told whose dialog did not open in Slack, and what does the same."""

UNOPENED = (
    "The dialog did not open, so nothing was denied. Write in the thread what should happen "
    "instead: that closes this request, too."
)
UNOPENED_ANSWER = "The dialog did not open, so nothing was answered. Write your answer in the thread: that counts, too."
UNOPENED_STOP = "The dialog did not open, so nothing was stopped. Write “stop” in the thread: that stops it, too."
UNOPENED_GLASS = (
    "The dialog did not open, so nothing was approved. Try again, or use the thread's page."
)
UNOPENED_EDIT = (
    "The dialog did not open, so nothing changed. Press Edit once more, or use the thread's page."
)
