"""A radio for a board that has none: one network, called `my network`, and the time from it.

Loaded before boot.py is run; what the board's program did with it stands in `CALLS`.
"""
import sys

CALLS = []
NETWORK = ('my network', 'its password')


class WLAN:
    def __init__(self, interface):
        self.interface = interface
        self.joined = False

    def active(self, on):
        CALLS.append((self.interface, 'active', on))

    def connect(self, ssid, password):
        self.joined = (ssid, password) == NETWORK

    def isconnected(self):
        return self.joined

    def config(self, **options):
        CALLS.append((self.interface, 'config', sorted(options)))

    def ifconfig(self):
        return ('127.0.0.1' if self.interface == 'station' else '192.168.4.1', '', '', '')


class Network:
    WLAN = WLAN
    STA_IF = 'station'
    AP_IF = 'access point'

    def hostname(name):
        CALLS.append(("hostname", name))


class Time:
    def settime():
        CALLS.append(('settime',))


def plug_in():
    sys.modules['network'] = Network
    sys.modules['ntptime'] = Time
