"""What the soaked servers have in common: a route that tells what is free of the heap, and how they are started."""
import asyncio
import gc
import sys


def tell_free(app):
    @app.get('/free')
    async def free(request):
        gc.collect()
        return str(gc.mem_free())


def serve(create_app):
    """Serve on the port that the program was given, until it is stopped."""
    async def main():
        gc.threshold(4096)  # small ones at a time: what each leaves behind would lie between what stays
        app = await create_app()
        print('serving')
        await app.start_server('127.0.0.1', int(sys.argv[1]))

    asyncio.run(main())
