"""The greenhouse with a route that tells what is free of the heap, for `soak.py`: micropython soak_server.py PORT"""
import asyncio
import gc
import sys

import greenhouse

from dotlatch.patience import Patience
from dotlatch.throttle import Throttle

ITERATIONS = 2  # of a hash: what is soaked is not the processor


async def create_app():
    app = await greenhouse.create_app(ITERATIONS, Throttle(free=80, source_free=240, overall_free=60000))
    Patience(app, seconds=5)

    @app.get('/free')
    async def free(request):
        gc.collect()
        return str(gc.mem_free())

    return app


async def main():
    gc.threshold(4096)  # small ones at a time: what each leaves behind would lie between what stays
    app = await create_app()
    print('serving')
    await app.start_server('127.0.0.1', int(sys.argv[1]))


if __name__ == '__main__':
    asyncio.run(main())
