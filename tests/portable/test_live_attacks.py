"""What was tried on open sockets: a user who cannot be asked about keeps no other one's socket open."""
import asyncio

from client import basic
from test_live import A_WHILE, LOOK, PATIENCE, Place, closes, logged_in, stays

from dotlatch import live as live_module
from dotlatch.live import ENDED, TRY_LATER, Live


class Longest:
    """Less patience, in milliseconds."""
    def __init__(self, value):
        self.value = value

    def __enter__(self):
        self.kept = live_module.LONGEST_MS
        live_module.LONGEST_MS = self.value

    def __exit__(self, *error):
        live_module.LONGEST_MS = self.kept


async def place_with_one_that_hangs():
    """Sockets of anna and bert, of whom nobody says anything any more when ``place.silent`` names them."""
    place = await logged_in()
    place.silent = []
    place.asked = 0

    async def load(user_id):
        place.asked += 1
        if user_id in place.silent:
            await asyncio.sleep(3600)
        return place.users.get(user_id)

    place.live.user_loader = load
    sockets = [await place.open('/key', {'X-API-Key': 'k2'}), await place.open('/key', {'X-API-Key': 'k1'}),
               await place.open('/login')]
    assert await stays(*sockets)
    return place, sockets


async def test_S6_one_whose_user_is_asked_about_for_long_delays_the_end_of_no_other():
    place, (bert, anna, session) = await place_with_one_that_hangs()
    place.silent = ['bert']
    await asyncio.sleep(A_WHILE)
    await place.browser.copy().post('/logout')
    del place.keys['k1']
    assert await closes(anna, session) == [ENDED, ENDED]
    assert await stays(bert)
    place.silent = []
    await place.end()


async def test_S11_one_of_whom_nobody_says_anything_is_closed_after_a_while():
    with Longest(int(A_WHILE * 1000)):
        place, (bert, anna, session) = await place_with_one_that_hangs()
        place.silent = ['bert']
        assert await closes(bert) == [TRY_LATER]
        assert await stays(anna, session)
        await place.end()


async def test_S11_one_that_hangs_when_it_opens_is_closed_too_and_leaves_its_place():
    with Longest(int(A_WHILE * 1000)):
        place, sockets = await place_with_one_that_hangs()
        place.silent = ['bert']
        socket = await place.open('/key', {'X-API-Key': 'k2'})
        assert await closes(socket, sockets[0]) == [TRY_LATER, TRY_LATER]
        for _ in range(PATIENCE):
            if place.live.count() == 2:
                break
            await asyncio.sleep(LOOK)
        assert place.live.count() == 2
        await place.end()


async def test_a_user_is_asked_about_once_at_a_time_however_long_it_takes():
    place, _ = await place_with_one_that_hangs()
    place.silent = ['bert', 'anna']
    await asyncio.sleep(A_WHILE)
    before = place.asked
    await asyncio.sleep(A_WHILE)
    assert place.asked == before and place.live.count() == 3
    await place.end()


async def test_the_password_of_a_session_s_user_who_became_another_one_is_not_enough():
    place = Place(live=Live(seconds=LOOK))
    place.live.user_loader = place.load
    socket = await place.open('/basic', basic('anna', 'x'))
    place.users['anna'] = place.users['bert']  # the same password, another user
    assert await closes(socket) == [ENDED]
    await place.end()
