"""Start the shop, the meter and nginx in front of them: ``python run.py``, then http://127.0.0.1:8000.

Needs Django, uvicorn, nginx and ``pip install 'dotlatch[django]'``. Make an account with ``python manage.py migrate``
and ``python manage.py createsuperuser``. PORT is another port than 8000; the next two are the apps'.
"""
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import common

HERE = Path(__file__).parent
PORT = int(os.environ.get('PORT') or 8000)
SHOP, METER = [int(os.environ.get(name) or PORT + n) for n, name in enumerate(('SHOP_PORT', 'METER_PORT'), 1)]
NGINX = shutil.which('nginx') or '/usr/sbin/nginx'


def serve(app, port):
    return [sys.executable, '-m', 'uvicorn', '--host', '127.0.0.1', '--port', str(port), '--log-level', 'warning', app]


def main():
    conf = (HERE / 'nginx.conf').read_text()
    for name, value in {'data': common.DATA.resolve(), 'port': PORT, 'shop': SHOP, 'meter': METER}.items():
        conf = conf.replace('{%s}' % name, str(value))
    conf_file = common.DATA.resolve() / 'nginx.conf'
    conf_file.write_text(conf)
    subprocess.run([sys.executable, 'manage.py', 'migrate', '--verbosity', '0'], cwd=HERE, check=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    running = []
    try:
        for command in (serve('shop.asgi:application', SHOP), serve('meter:app', METER), [NGINX, '-c', str(conf_file)]):
            running.append(subprocess.Popen(command, cwd=HERE))
        print(f'the shop is at http://127.0.0.1:{PORT}/ and the meter at http://127.0.0.1:{PORT}/meter/', flush=True)
        os.wait()  # for the first that ends
    except KeyboardInterrupt:
        pass
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


if __name__ == '__main__':
    main()
