"""Ports on the loopback that are free, and stay so until whoever is told of them listens there.

The system gives a port of its ephemeral range to whatever asks for any port or connects somewhere.
A port from that range may be taken again the moment it is looked at, so those here lie below it.
"""

import random
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

LOWEST = 12_000
HIGHEST = 32_767
"""What lies above is ephemeral: from 32768 on Linux, 49152 elsewhere, unless somebody says so."""
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_CHOICE = random.SystemRandom()


def free_ports(number: int) -> list[int]:
    """Return so many different ports of 127.0.0.1 at which nobody listens.

    Raises OSError when there are not enough.
    """
    with ExitStack() as held:
        ports: list[int] = []
        candidates = range(LOWEST, _highest() + 1)
        for port in _CHOICE.sample(candidates, k=len(candidates)):
            if len(ports) == number:
                break
            with suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
        if len(ports) < number:
            raise OSError(f"fewer than {number} ports are free on 127.0.0.1")
        return ports


def _highest() -> int:
    """Return the last port below the ephemeral range, if enough lie below it."""
    try:
        lowest_ephemeral = int(_RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return HIGHEST
    return lowest_ephemeral - 1 if lowest_ephemeral > LOWEST + 1_000 else HIGHEST
