"""Just a password, for a board at home: copy it as main.py. The first start asks for the password at the prompt."""
import asyncio

from microdot import Microdot

from dotlatch.auth import BasicAuth
from dotlatch.passwords import check_strength
from dotlatch.throttle import Throttle
from dotlatch.users import FileUsers

app = Microdot()
users = FileUsers('users.json', check_password=check_strength)
if not len(users):
    asyncio.run(users.create('anna', input('Password for anna, at least 15 characters: ')))
auth = BasicAuth(realm='Greenhouse', allow_http=True, throttle=Throttle())


@auth.authenticate
async def check(request, username, password):
    return await users.authenticate(username, password)


@app.get('/')
@auth
async def index(request):
    return 'Hello, ' + request.g.current_user.name

app.run(host='0.0.0.0', port=80)
