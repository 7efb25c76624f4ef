"""Secrets as objects that do not print: not by repr, str, format, JSON, pickle or a copy of their owner."""

from typing import Never, Self

from pydantic import SecretStr

_NO_PICKLE = "a secret is not pickled: read it from the settings where it is needed"


class Secret(SecretStr):
    """A secret text; only `get_secret_value()` says it."""

    @classmethod
    def of(cls, given: str | SecretStr) -> Self:
        """Return it as a secret, whatever it was given as."""
        if isinstance(given, cls):
            return given
        return cls(given.get_secret_value() if isinstance(given, SecretStr) else given)

    def __bool__(self) -> bool:
        """Tell whether there is one at all."""
        return bool(self._secret_value)

    def __copy__(self) -> Self:
        """Stay the one copy there is."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """Stay the one copy there is."""
        return self

    def __reduce_ex__(self, protocol: object) -> Never:
        """Refuse to be pickled."""
        raise TypeError(_NO_PICKLE)


class SecretKey(bytes):
    """A key as bytes, for what computes with it; it prints as stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return stars."""
        return "b'**********'"

    def __str__(self) -> str:
        """Return stars."""
        return "b'**********'"

    def __format__(self, format_spec: str) -> str:
        """Return stars."""
        return str(self)

    def __copy__(self) -> Self:
        """Stay the one copy there is."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """Stay the one copy there is."""
        return self

    def __reduce_ex__(self, protocol: object) -> Never:
        """Refuse to be pickled."""
        raise TypeError(_NO_PICKLE)


NO_SECRET = Secret("")
