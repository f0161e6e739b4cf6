"""uvicorn with workers and a socket that sends at once: ``python -m benchmarks.server.serve PORT WORKERS``.

The one that ``uvicorn --workers`` makes (0.54, its issue 3149) has Nagle's algorithm on: each answer after the first on
a connection waits 40 ms for the client's kernel, and all sites would look the same.
"""
import socket
import sys

import uvicorn
from uvicorn.supervisors import Multiprocess

HOST = '127.0.0.1'


def main(port: int, workers: int) -> None:
    config = uvicorn.Config('benchmarks.server.sites:app', workers=workers, lifespan='off', access_log=False,
                            log_level='warning', timeout_worker_healthcheck=120)  # a busy machine takes long to start
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((HOST, port))
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listening])
    else:
        Multiprocess(config, sockets=[listening]).run()


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]))
