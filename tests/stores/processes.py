"""The other process of a test: it saves sessions again and again while the test ends them.

    python -m tests.stores.processes <kind> <address> <name>

It reads the sessions' ids from its input and says "saving" each time it has saved all of them.
After the next line of input it does so a last time, and says what became of them.
"""

import asyncio
import json
import sys

from tests.stores.kinds import close_store, open_store


async def main(kind, address, name):
    ids = json.loads(sys.stdin.readline())
    told = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    store = open_store(kind, address, name)
    records = {session_id: await store.load(session_id) for session_id in ids}
    saved, refused, came_back = 0, set(), []
    last = False
    while not last:
        last = told.done()  # then once more, for what has ended by now
        for session_id in ids:
            if await store.save(session_id, records[session_id]):
                saved += 1
                if session_id in refused:
                    came_back.append(session_id)
            else:
                refused.add(session_id)
        print("saving", flush=True)
        await asyncio.sleep(0)
    alive = [session_id for session_id in ids if await store.load(session_id) is not None]
    await close_store(kind, store)
    print(json.dumps({"saved": saved, "refused": len(refused), "came_back": came_back, "alive": alive}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
