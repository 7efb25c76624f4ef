"""The harness of the target that this folder brings, as its package would write it."""

from pathlib import Path

from local_harnesses import LocalHarness
from shop import now, quick
from target_harness import Mode, Moment

from deploy.catalog import Catalog
from deploy.look import Look


class NoteHarness(LocalHarness):
    kind = "note"
    acts = "write"
    moments = (Moment("write", "begins"), Moment("write", "ended"))

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.mood = folder / "mood"

    def look(self, mode: Mode = "quick", **settings: object) -> Look:
        self.mood.write_text(mode)
        tables = quick(self.shop).model_dump()
        table = {"kind": "note", "base": self.shop.base, "mood": self.mood}
        tables["services"]["backend"]["target"] = table | {"file": self.folder / "shelf"} | settings
        return Look(Catalog.model_validate(tables), clock=now)

    def truth(self) -> str | None:
        shelf = self.folder / "shelf"
        return shelf.read_text().strip() if shelf.exists() else None

    def let_go(self) -> None:
        self.mood.write_text("quick")
