"""A logout wins, whoever is saving: in one process, in two threads and in two processes."""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading

import pytest
from stores_contract import new, record, use

from dotlatch import files
from dotlatch.portable import random_id, run
from tests.harness.interpreters import ROOT, SOURCE
from tests.stores.kinds import BETWEEN_PROCESSES, ON_CPYTHON, SHARED, Meanwhile

WORKER_SECONDS = 25


async def save_again_and_again(store, session_id, kept, times):
    saved = []
    for _ in range(times):
        await asyncio.sleep(0)
        saved.append(await store.save(session_id, kept))
    return saved


async def test_S11_a_logout_wins_over_every_save_that_is_under_way(stores):
    store = stores.one()
    ids = [await new(store, user="anna") for _ in range(60)]
    chance = random.Random(11)

    async def log_out(session_id):
        await asyncio.sleep(chance.random() * 0.05)
        await store.delete(session_id)

    work = []
    for session_id in ids:
        kept = await store.load(session_id)
        work += [save_again_and_again(store, session_id, kept, 5) for _ in range(3)]
        work.append(log_out(session_id))
    chance.shuffle(work)
    for saved in await asyncio.gather(*work):
        assert not saved or saved == sorted(saved, reverse=True)  # once refused, always refused
    assert await asyncio.gather(*[store.load(session_id) for session_id in ids]) == [None] * 60
    assert await store.list_user("anna") == []


async def test_S6_ending_all_others_wins_over_every_save_that_is_under_way(stores):
    store = stores.one()
    ids = [await new(store, user="anna") for _ in range(60)]
    saves = [save_again_and_again(store, session_id, await store.load(session_id), 8) for session_id in ids]
    under_way = asyncio.gather(*saves)
    await asyncio.sleep(0.01)
    # From two pages at once: each session is counted by one of them.
    ended = await asyncio.gather(store.delete_user("anna", keep=ids[0]), store.delete_user("anna", keep=ids[0]))
    assert sum(ended) == 59
    assert [name for name, _ in await store.list_user("anna")] == [ids[0]]
    for saved in await under_way:
        assert saved == sorted(saved, reverse=True)
    assert [name for name, _ in await store.list_user("anna")] == [ids[0]]


async def test_of_twenty_that_make_the_same_session_one_does(stores):
    for _ in range(5):
        store = stores.one()
        session_id = random_id()
        made = await asyncio.gather(*[store.save(session_id, record(i), new=True) for i in range(20)])
        assert made.count(True) == 1
        assert (await store.load(session_id))["user"] == made.index(True)
        assert [len(await store.list_user(i)) for i in range(20)] == [int(won) for won in made]


@pytest.mark.parametrize("stores", SHARED, indirect=True)
def test_one_store_serves_the_event_loops_of_several_threads(stores):
    store = stores.one()
    failures = []

    async def visit():
        try:
            session_id = await new(store, user="anna")
            for n in range(20):
                kept = await store.load(session_id)
                kept["data"] = n
                assert await store.save(session_id, kept) is True
            assert (await store.load(session_id))["data"] == 19
        finally:
            await store.close()

    def thread():
        try:
            for _ in range(2):
                asyncio.run(asyncio.wait_for(visit(), WORKER_SECONDS))
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=thread) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(WORKER_SECONDS)
    assert not failures

    async def look():
        found = await store.list_user("anna")
        await store.close()
        return found

    assert len(asyncio.run(look())) == 8


@pytest.mark.parametrize("times", [1, 3, 50])
@pytest.mark.parametrize("stores", ON_CPYTHON, indirect=True)
async def test_S11_what_is_saved_while_a_use_is_written_down_stays(stores, times):
    store = stores.one()
    other = stores.open(store.name)
    session_id = await new(store, user="anna", data={"saves": 0})
    loaded = await store.load(session_id)
    saved = []

    async def save():
        kept = await other.load(session_id)
        saved.append(await other.save(session_id, {**kept, "data": {"saves": len(saved) + 1}}))

    Meanwhile(store, save, times)
    seen = await use(store, session_id, loaded)
    kept = await other.load(session_id)
    assert kept["data"] == {"saves": len(saved)} and all(saved)
    assert len(saved) == min(times, 6)  # two questions each time, and it is tried three times
    assert kept["seen"] == (seen if times <= 3 else loaded["seen"])


@pytest.mark.parametrize("stores", ON_CPYTHON, indirect=True)
async def test_S11_a_logout_while_a_use_is_written_down_holds(stores):
    store = stores.one()
    other = stores.open(store.name)
    session_id = await new(store, user="anna", data={})
    loaded = await store.load(session_id)
    Meanwhile(store, lambda: other.delete(session_id), 1)
    await use(store, session_id, loaded)
    assert [await other.load(session_id), await other.list_user("anna")] == [None, []]


@pytest.mark.parametrize("stores", ["file"], indirect=True)
async def test_S11_who_saves_in_the_folder_waits_until_a_use_is_written_down(stores, monkeypatch):
    store = stores.one()
    other = stores.open(store.name)  # it has a lock of its own, as in another process
    session_id = await new(store, user="anna", data={"n": 1})
    loaded = await store.load(session_id)
    saved = []
    saving = threading.Thread(
        target=lambda: saved.append(run(other.save(session_id, {**loaded, "data": {"n": 2}}))))
    read = files.read

    def read_and_wait(path):
        found = read(path)
        if threading.current_thread() is not saving and saving.ident is None:
            saving.start()
            saving.join(0.3)  # long enough for who does not wait
        return found

    monkeypatch.setattr(files, "read", read_and_wait)
    await use(store, session_id, loaded)
    saving.join(WORKER_SECONDS)
    assert saved == [True] and (await store.load(session_id))["data"] == {"n": 2}


class Worker:
    """Another process with the same store, which saves sessions until it is told to stop."""

    def __init__(self, store, stores, ids):
        environment = dict(os.environ, PYTHONPATH=f"{SOURCE}:{ROOT}")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stores.processes", stores.kind, str(stores.address), store.name],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process.stdin.write(json.dumps(ids) + "\n")
        self._process.stdin.flush()

    def wait_until_it_saves(self):
        assert self._process.stdout.readline() == "saving\n"

    def result(self):
        output, _ = self._process.communicate("stop\n", timeout=WORKER_SECONDS)
        return json.loads(output.splitlines()[-1])

    def end(self):
        self._process.kill()
        self._process.wait()


@pytest.mark.parametrize("stores", BETWEEN_PROCESSES, indirect=True)
async def test_S11_a_logout_in_one_process_wins_over_saves_in_two_others(stores):
    store = stores.one()
    ids = [await new(store, user=["anna", "bert"][i % 2]) for i in range(40)]
    workers = [Worker(store, stores, ids) for _ in range(2)]
    try:
        for worker in workers:
            await asyncio.to_thread(worker.wait_until_it_saves)
        for session_id in ids[:30:2]:
            await store.delete(session_id)
            await asyncio.sleep(0.005)
        assert await store.delete_user("bert", keep=ids[39]) == 19
        expected = [*ids[30::2], ids[39]]
        results = [await asyncio.to_thread(worker.result) for worker in workers]
    finally:
        for worker in workers:
            worker.end()
    print(f"figure: {stores.kind}: saved by two processes while a third logged out:",
          *[result["saved"] for result in results])
    for result in results:
        assert sorted(result["alive"]) == sorted(expected)
        assert result["came_back"] == []
        assert result["saved"] > 40 and result["refused"] == 34
    assert len(await store.list_user("anna")) == 5 and len(await store.list_user("bert")) == 1
