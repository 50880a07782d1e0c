"""The program gives the answers that were recorded of it: about 7,000, of three packages (tests/oracle.py)."""

from pathlib import Path

import oracle
import pytest

from api.query import find

RECORDED = Path(__file__).with_name("oracle.jsonl.gz")
TOLD = 12


@pytest.mark.parametrize("scanned", [False, True], ids=["as it is asked", "scanned"])
@pytest.mark.parametrize("package", oracle.PACKAGES)
def test_every_recorded_answer_is_given_again(
    package: str, scanned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a difference: `python tests/oracle.py compare tests/oracle.jsonl.gz`; tests/oracle.py says how to record.

    Scanned: no table and no index has so few rows that SQLite answers, so that DuckDB must give the same.
    """
    if scanned:
        monkeypatch.setattr(find, "FEW", -1)
    recorded = oracle.load(RECORDED, package)
    assert len(recorded) > 1_500
    differ = [before for before, _ in oracle.compared(recorded, tmp_path)]
    first = "\n".join(map(oracle.told, differ[:TOLD]))
    assert not differ, f"{len(differ)} of {len(recorded)} answers differ, the first of them:\n{first}"
