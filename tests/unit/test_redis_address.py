import pytest

from deploybot.redis_address import SentinelAddress, connected


def test_an_address_of_sentinels_says_whom_to_ask_and_for_whom() -> None:
    read = SentinelAddress.parse(
        "rediss+sentinel://bot:p%40ss@s1.example,s2.example:26380,[::1]:26381/main/3"
        "?sentinel_password=x&ssl_ca_certs=/etc/ca.pem"
    )

    assert read.sentinels == (("s1.example", 26379), ("s2.example", 26380), ("::1", 26381))
    assert (read.name, read.database, read.tls) == ("main", 3, True)
    assert (read.username, read.password, read.sentinel_password) == ("bot", "p@ss", "x")
    assert read.certificates == (("ssl_ca_certs", "/etc/ca.pem"),)
    assert "p@ss" not in repr(read)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis+sentinel://s1:26379", "the name they know it by"),
        ("redis+sentinel://s1:26379/main/zero", "the number of the database"),
        ("redis+sentinel://s1:26379/main/0/1", "the name they know it by"),
        ("redis+sentinel:///main", "each Sentinel is host:port"),
        ("redis+sentinel://s1:99999/main", "each Sentinel is host:port"),
        ("redis+sentinel://s1;s2/main", "each Sentinel is host:port"),
        ("redis+sentinel://s1/main?password=secret", "it does not know password"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_in_words(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        SentinelAddress.parse(url)

    assert "secret" not in str(refused.value)


def test_any_other_address_is_one_server() -> None:
    pool = connected("redis://u:p@host:6390/2", socket_timeout=3.0).connection_pool

    kept = pool.connection_kwargs
    assert (kept["host"], kept["port"], kept["db"], kept["socket_timeout"]) == ("host", 6390, 2, 3)
