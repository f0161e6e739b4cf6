"""What many logged-in users cost a server, and how that grows (CPython), with a real Redis and PostgreSQL.

    python -m benchmarks server                  both parts
    python -m benchmarks.server load             requests a second, and the slowest of a hundred
    python -m benchmarks.server growth           from 1 to 1,000,000 sessions
    python -m benchmarks.server load --users 500 --rounds 2 --seconds 0.5

Redis, PostgreSQL and the servers are started and stopped by it, on loopback. The load comes from wrk.
"""
from .commands import main as main
