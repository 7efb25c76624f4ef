"""Addresses and keys of the systems that targets and checks speak to; read and passed in by the bot."""

from dataclasses import dataclass

from deploy.secret import NO_SECRET, Secret


@dataclass(frozen=True)
class Connections:
    """Where GitHub and Vercel answer, and the keys to them, which never appear in a text.

    Where a cluster of Kubernetes answers is in its target's table.
    """

    github_url: str = "https://api.github.com"
    github_token: Secret = NO_SECRET
    vercel_url: str = "https://api.vercel.com"
    vercel_token: Secret = NO_SECRET
    kubernetes_token: Secret = NO_SECRET

    def __post_init__(self) -> None:
        """Keep each key as a secret, however it was given."""
        for name in ("github_token", "vercel_token", "kubernetes_token"):
            object.__setattr__(self, name, Secret.of(getattr(self, name)))
