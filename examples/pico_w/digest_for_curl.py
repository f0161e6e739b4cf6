"""Digest for curl, which sends no password: copy it as main.py. The first start asks for the password at the prompt.

    curl --digest --user anna http://greenhouse.local/
"""
from microdot import Microdot

from dotlatch.digest import DigestAuth
from dotlatch.files import load_or_create

app = Microdot()
auth = DigestAuth(realm='Greenhouse')
ha1 = load_or_create('digest.ha1', lambda: auth.make_ha1('anna', input('Password for anna: ')).encode())
users = {'anna': {'name': 'Anna', 'digest_ha1': ha1.decode()}}


@auth.authenticate
async def find(request, username):
    return users.get(username)


@app.get('/')
@auth
async def index(request):
    return 'Hello, ' + request.g.current_user['name']

app.run(host='0.0.0.0', port=80)
