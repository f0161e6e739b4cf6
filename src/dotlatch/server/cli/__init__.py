"""The command line: keys, hashes, accounts, sessions and API keys, looked after while the app runs.

Needs what it looks after: users.py, apikeys.py, stores.py, and of the folder above redis.py, sqlalchemy.py,
sqlalchemy_users.py, sqlalchemy_keys.py or django_users.py.

.. code-block:: console

    $ dotlatch secret --file secret.key
    $ dotlatch user add anna --scopes admin
    $ dotlatch keys add anna 'Weather display' --scopes read --json
    $ dotlatch sessions end anna --store sessions

Passwords are typed on the terminal or come on standard input; no option takes one, since everybody on the machine sees
what a program is started with, and the shell writes it down. Exit codes: 0 done, 1 a no, 2 wrong usage or trouble, 3 no
board that answers.
"""
