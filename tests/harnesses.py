"""Every kind of target that the contract is held against, and how a package's own is found."""

from importlib import import_module

from local_harnesses import CommandHarness, ReleasesHarness, ToldCommandHarness
from remote_harnesses import GitHubHarness, KubernetesHarness, VercelHarness
from target_harness import Harness

HARNESSES: list[type[Harness]] = [
    ReleasesHarness,
    CommandHarness,
    ToldCommandHarness,
    GitHubHarness,
    VercelHarness,
    KubernetesHarness,
]


def brought(name: str) -> type[Harness]:
    """Return the harness that `package.module:Class` names."""
    module, _, attribute = name.partition(":")
    found: type[Harness] = getattr(import_module(module), attribute)
    return found
