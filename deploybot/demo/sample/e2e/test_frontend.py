"""What a customer expects of the page, asked over HTTP."""

import json
import os
import unittest
from urllib.request import urlopen

URL = os.environ["FRONTEND_URL"]
BACKEND_URL = os.environ["BACKEND_URL"]


def get(url: str) -> str:
    """Return the text of one good answer."""
    with urlopen(url, timeout=10) as response:
        text: str = response.read().decode()
        return text


class FrontendTest(unittest.TestCase):
    """The page, as it is live."""

    def test_it_is_well(self) -> None:
        self.assertEqual("frontend", json.loads(get(f"{URL}/healthz"))["service"])

    def test_everything_on_sale_is_on_the_page(self) -> None:
        page = get(f"{URL}/")
        for product in json.loads(get(f"{BACKEND_URL}/products")).values():
            self.assertIn(product["name"], page)


if __name__ == "__main__":
    unittest.main()
