"""The keys that domains sign their mails with, looked up in the DNS; what a signature is worth is `inbound`'s."""

import dns.exception
import dns.rdatatype
import dns.resolver

from deploybot.errors import KeyLookupError

SECONDS = 5.0
"""How long one look-up may take in all."""


def look_up(name: str) -> bytes | None:
    """Return the TXT record that holds a key, or None when there is none.

    Raises KeyLookupError when no name server said. The name is asked for as it is: never with the
    domains behind it that this machine searches by itself.
    """
    try:
        found = dns.resolver.resolve(f"{name}.", dns.rdatatype.TXT, lifetime=SECONDS, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return None
    except dns.exception.DNSException as error:
        domain = name.partition("._domainkey.")[2] or name
        raise KeyLookupError(
            f"The key that {domain} signs its mails with could not be looked up "
            f"({type(error).__name__}), so the mail could not be shown to be its sender's."
        ) from error
    records = [b"".join(record.strings) for record in found]
    return next((record for record in records if b"p=" in record), None)
