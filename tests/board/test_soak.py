"""A server that has met everything still serves: no MemoryError, no 500, and no heap that goes away.

benchmarks/soak.py asks 10,000 times.
"""
from . import soaking


def test_a_pico_with_100_kilobytes_of_heap_stands_all_sorts_of_requests(board, record_property):
    record_property('python', 'MicroPython on an emulated Raspberry Pi Pico')
    soaked = soaking.on_pico(30)
    assert not list(soaked.problems())
    assert soaked.count(200) > 1 and soaked.count(404)
    print(f'figure: heap that is free in 100 KB after 40 requests: {soaked.free[-1] // 1024} KB')


def test_the_unix_port_with_100_kilobytes_of_heap_stands_all_sorts_of_requests(board, record_property):
    record_property('python', 'MicroPython')
    soaked = soaking.on_unix(400)
    assert not list(soaked.problems())
    print(f'figure: the same on the unix port after 400: {soaked.free[-1] // 1024} KB')
    assert soaked.count(200) > 40 and soaked.count(400, 404, 405, 413) > 10


def test_session_and_login_and_microdot_run_in_64_kilobytes_of_heap(board, record_property):
    record_property('python', 'MicroPython')
    soaked = soaking.on_unix(400, 'soak_small', 64 * 1024)
    assert not list(soaked.problems())
    assert soaked.count(200) > 40
    print(f'figure: a login alone in 64 KB, after 400 requests: {soaked.free[-1] // 1024} KB free')
