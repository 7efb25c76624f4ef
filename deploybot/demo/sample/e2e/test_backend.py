"""What a customer expects of the backend, asked over HTTP."""

import json
import os
import unittest
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

URL = os.environ["BACKEND_URL"]


def get(path: str) -> tuple[int, Any]:
    """Return the status and the JSON of one answer."""
    try:
        with urlopen(f"{URL}{path}", timeout=10) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


class BackendTest(unittest.TestCase):
    """The backend, as it is live."""

    def expect(self, path: str, status: int = 200) -> Any:
        """Return the JSON of an answer that must have this status."""
        got, told = get(path)
        if got != status:
            self.fail(f"GET {path} answered {got}, not {status}: {told.get('error', told)}")
        return told

    def test_it_is_well(self) -> None:
        self.assertEqual("backend", self.expect("/healthz")["service"])

    def test_every_product_has_a_price(self) -> None:
        for product in self.expect("/products").values():
            self.assertGreater(product["cents"], 0)

    def test_an_unknown_product_is_not_found(self) -> None:
        self.expect("/products/anvil", status=404)

    def test_a_quote_adds_up(self) -> None:
        quote = self.expect("/quote?items=mug:2,tote:1")
        self.assertEqual(quote["total"], quote["subtotal"] + sum(quote["surcharges"].values()))

    def test_an_absurd_order_is_refused_politely(self) -> None:
        self.assertIn("please", self.expect("/quote?items=mug:0", status=400)["error"])


if __name__ == "__main__":
    unittest.main()
