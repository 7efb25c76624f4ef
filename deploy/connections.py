"""Addresses and keys of the systems that targets and checks speak to; read and passed in by the bot."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Connections:
    """Where GitHub and Vercel answer, and the keys to them, which never appear in a text.

    Where a cluster of Kubernetes answers is in its target's table.
    """

    github_url: str = "https://api.github.com"
    github_token: str = field(default="", repr=False)
    vercel_url: str = "https://api.vercel.com"
    vercel_token: str = field(default="", repr=False)
    kubernetes_token: str = field(default="", repr=False)
