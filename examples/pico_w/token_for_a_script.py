"""A token for my script, made at the first start and printed at each: copy it as main.py.

    curl -H "Authorization: Bearer THE_TOKEN" http://greenhouse.local/temperature
"""
from microdot import Microdot

from dotlatch.auth import TokenAuth
from dotlatch.files import load_or_create
from dotlatch.portable import compare_digest

app = Microdot()
token = load_or_create('token.txt')
auth = TokenAuth(allow_http=True)
print('The token is ' + token.decode())


@auth.authenticate
async def check(request, shown):
    return 'script' if compare_digest(shown.encode(), token) else None


@app.get('/temperature')
@auth
async def temperature(request):
    return {'celsius': 21}

app.run(host='0.0.0.0', port=80)
