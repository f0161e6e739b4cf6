"""The greenhouse with a route that tells what is free of the heap, for `soak.py`: micropython soak_server.py PORT"""
import greenhouse
import soak_serve

from dotlatch.patience import Patience
from dotlatch.throttle import Throttle

ITERATIONS = 2  # of a hash: what is soaked is not the processor


async def create_app():
    app = await greenhouse.create_app(ITERATIONS, Throttle(free=80, source_free=240, overall_free=60000))
    Patience(app, seconds=5)

    soak_serve.tell_free(app)
    return app


if __name__ == '__main__':
    soak_serve.serve(create_app)
