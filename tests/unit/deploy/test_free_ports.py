import socket
from pathlib import Path

from deploy.free_ports import HIGHEST, LOWEST, free_ports

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_each_of_them_can_be_listened_at():
    ports = free_ports(5)

    assert len(set(ports)) == 5
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_the_system_gives_none_of_them_to_anybody_else():
    first_given = int(RANGE.read_text().split()[0]) if RANGE.exists() else HIGHEST + 1

    assert all(LOWEST <= port < first_given for port in free_ports(50))


def test_where_somebody_listens_is_not_free():
    (taken,) = free_ports(1)

    with socket.create_server(("127.0.0.1", taken)):
        assert taken not in free_ports(500)
