"""The faces of the workspace over HTTP: Slack's API, people's actions, control for tests, the page."""
