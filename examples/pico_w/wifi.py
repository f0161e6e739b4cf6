"""Puts a board on the network, and tells it the time: a Pico W, a Pico 2 W or an ESP32, each from its boot.py.

What network that is stands in wifi.json, which you copy to the board:

    {"ssid": "my network", "password": "its password"}

Without that file, or when the network is not there, the board opens a network of its own, at http://192.168.4.1. The
password of that one is made at the first start and printed at each, for who has the cable in hand.
"""
import json
import time

import network

from dotlatch.files import load_or_create
from dotlatch.portable import b64url_encode, now, random_bytes

SECONDS = 20   # that the network has to let us in
TRIES = 3      # to get the time


def start(name, **security):
    """Connect, or be an access point; returns the board's address.

    :param name: of the board in the network, and of its own network.
    :param security: what an access point of this board has to be told, so that it asks for its password.
    """
    network.hostname(name)
    station = network.WLAN(network.STA_IF)
    station.active(True)  # first: without a radio, an ESP32 has no good random numbers
    address = connect(station)
    if address:
        set_clock()
    else:
        password = load_or_create('wifi.key', made_up).decode()
        station.active(False)
        address = access_point(name, password, security)
    print('The board is at http://' + address)
    return address


def connect(station):
    """Return our address in the network of wifi.json, or None."""
    try:
        with open('wifi.json') as file:
            wifi = json.loads(file.read())
        station.connect(wifi['ssid'], wifi['password'])
    except (OSError, ValueError, KeyError, TypeError):
        print('There is no wifi.json with "ssid" and "password" in it.')
        return None
    for _ in range(4 * SECONDS):
        if station.isconnected():
            return station.ifconfig()[0]
        time.sleep_ms(250)
    print('The network of wifi.json does not let us in.')
    return None


def access_point(name, password, security):
    """Open a network of our own; returns our address in it."""
    point = network.WLAN(network.AP_IF)
    point.config(ssid=name, key=password, **security)
    point.active(True)
    print('Its own network is "%s", with the password %s' % (name, password))
    return point.ifconfig()[0]


def made_up():
    letters = b64url_encode(random_bytes(24)).lower().replace('-', '').replace('_', '')
    return letters[:16].encode()


def set_clock():
    """Ask the network for the time. Without it all works, but a login ends when the board restarts."""
    import ntptime
    for _ in range(TRIES):
        try:
            ntptime.settime()
            break
        except OSError:
            time.sleep(1)
    if now() is None:
        print('There is no time from the network.')
