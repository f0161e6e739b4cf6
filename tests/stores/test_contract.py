"""What every session store promises, kept by those that have a server or a database behind them.

The cases are those of the portable stores, which keep them on both Pythons.
"""

import pytest
import stores_contract

from dotlatch.stores import MAX_RECORD
from tests.stores.kinds import ON_CPYTHON

CASES = [*stores_contract.RECORDS, *stores_contract.USERS, *stores_contract.USES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("stores", ON_CPYTHON, indirect=True)
async def test_contract(stores, case):
    # The cases expect the limit of a board.
    await case(lambda max_sessions: stores.make(max_sessions, max_record=MAX_RECORD))
