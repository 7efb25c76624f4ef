"""Who works on the sample shop, what they changed, and what they will; how it becomes commits is not here."""

from collections.abc import Iterable
from dataclasses import dataclass

Files = dict[str, str]

AUTHORS = {
    "ann": "Ann Okafor <ann@harbour.example>",
    "ben": "Ben Larsen <ben@harbour.example>",
    "eve": "Eve Moreau <eve@harbour.example>",
    "kofi": "Kofi Mensah <kofi@harbour.example>",
}
SURCHARGES = ("gift-wrap", "express", "insurance", "engraving", "weekend-delivery")
"""What a broken change may begin to charge for, one after the other."""

SHELF = "backend/products.json"
SHOP = "backend/shop.py"
PAGE = "frontend/page.html"
FRONT = "frontend/server.py"


@dataclass(frozen=True)
class Edit:
    """One place in one file, before and after."""

    path: str
    old: str
    new: str

    def fits(self, files: Files) -> bool:
        """Tell whether the place is there, exactly once, and not yet changed."""
        text = files.get(self.path, "")
        return text.count(self.old) == 1 and self.new not in text


@dataclass(frozen=True)
class Change:
    """What one commit does; with `tag` it is released, with `merged` it came as a pull request."""

    author: str
    subject: str
    edits: tuple[Edit, ...] = ()
    tag: str | None = None
    merged: bool = False


def applied(edits: Iterable[Edit], files: Files) -> Files:
    """Return the files after the edits; ValueError names a place that is not there."""
    after = dict(files)
    for edit in edits:
        if not edit.fits(after):
            raise ValueError(f"{edit.path} does not hold {edit.old!r} once")
        after[edit.path] = after[edit.path].replace(edit.old, edit.new)
    return after


def _price(product: str, old: int, new: int) -> Edit:
    return Edit(SHELF, f'"{product}", "cents": {old}', f'"{product}", "cents": {new}')


def _product(identifier: str, name: str, cents: int) -> Edit:
    row = f'  "{identifier}": {{"name": "{name}", "cents": {cents}}},\n'
    return Edit(SHELF, '  "mug":', f'{row}  "mug":')


HISTORY: tuple[Change, ...] = (
    Change("ann", "Open the shop: a backend, a page, and tests over HTTP"),
    Change("ben", "Sell a notebook", (_product("notebook", "Dot-grid notebook", 950),)),
    Change("eve", "Make the page readable on a phone", (Edit(PAGE, "3rem auto", "2rem auto"),)),
    Change(
        "ann",
        "Take a little less for the tote bag",
        (_price("Tote bag", 1800, 1650),),
        tag="v1.0.0",
    ),
    Change(
        "kofi",
        "Refuse orders of more than twenty of one thing",
        (Edit(SHOP, "MOST_OF_ONE = 50", "MOST_OF_ONE = 20"),),
        merged=True,
    ),
    Change("eve", "Say what the shop is about", (Edit(PAGE, "few of them.", "made to last."),)),
    Change(
        "ben",
        "Sell a pencil case",
        (_product("pencil-case", "Canvas pencil case", 1250),),
        tag="v1.1.0",
        merged=True,
    ),
    Change("ann", "Calmer green for the headline", (Edit(PAGE, "#1f5d4c", "#24594b"),)),
    Change(
        "kofi",
        "Answer at most thirty of one thing after all",
        (Edit(SHOP, "MOST_OF_ONE = 20", "MOST_OF_ONE = 30"),),
        tag="v1.1.1",
    ),
    Change(
        "eve",
        "Show prices in one column",
        (Edit(PAGE, "padding: .6rem 0;", "padding: .6rem 0; font-variant-numeric: tabular-nums;"),),
        merged=True,
    ),
    Change("ben", "Raise the price of the enamel mug", (_price("Enamel mug", 1450, 1550),)),
    Change(
        "ann",
        "Give the page a wider column",
        (Edit(PAGE, "max-width: 36rem", "max-width: 40rem"),),
        tag="v1.2.0",
        merged=True,
    ),
    Change("kofi", "Put the shop's name first", (Edit(FRONT, "The small shop", "Small Shop"),)),
    Change(
        "eve",
        "Sell a wool blanket",
        (_product("blanket", "Wool blanket", 8900),),
        tag="v1.2.1",
        merged=True,
    ),
)

GOOD: tuple[Change, ...] = (
    Change(
        "eve",
        "Sell a water bottle, and say so on the page",
        (
            _product("bottle", "Steel water bottle", 2400),
            Edit(PAGE, "made to last.", "made to last. New: a water bottle."),
        ),
    ),
    Change(
        "kofi",
        "Write prices with the sign of the euro",
        (Edit(FRONT, ".2f} EUR", ".2f} €"), _price("Linen shirt", 4900, 4700)),
    ),
    Change(
        "ben",
        "Greet customers by the time of year",
        (
            Edit(FRONT, 'TITLE = "Small Shop"', 'TITLE = "Small Shop, winter edition"'),
            _product("candle", "Beeswax candle", 700),
        ),
    ),
)
"""Changes that work everywhere, each touching both services."""


def one_more_product(files: Files) -> Change:
    """Return one more change that works, however many there were."""
    number = files[SHELF].count('"sticker-') + 1
    edit = _product(f"sticker-{number}", f"Sticker no. {number}", 150)
    if not edit.fits(files):
        raise ValueError(f"{SHELF} is not as expected")
    return Change("ben", f"Sell sticker no. {number}", (edit,))


def one_more_surcharge(files: Files) -> Change:
    """Return a change that charges for one thing more, with a price on staging alone.

    Raises ValueError when everything in SURCHARGES is charged for already.
    """
    name = next((one for one in SURCHARGES if f'"{one}"' not in files[SHOP]), None)
    if name is None:
        raise ValueError("there is nothing left to charge for")
    staging = '  "staging": {\n    "currency": "EUR",\n    "surcharges": {'
    return Change(
        "ben",
        f"Charge for {name.replace('-', ' ')}",
        (
            Edit(SHOP, 'SURCHARGES = ["packaging"', f'SURCHARGES = ["packaging", "{name}"'),
            Edit("backend/settings.json", staging, f'{staging}"{name}": 350, '),
        ),
    )


def missing_settings(files: Files) -> Change:
    """Return the change that gives production what only staging has."""
    settings = files["backend/settings.json"]
    _, staging, production = settings.split('"surcharges": ')
    new, old = staging[: staging.index("}") + 1], production[: production.index("}") + 1]
    last = settings.rindex(old)
    whole = settings[:last] + new + settings[last + len(old) :]
    return Change(
        "kofi",
        "Set every surcharge on production too",
        (Edit("backend/settings.json", settings, whole),),
    )
