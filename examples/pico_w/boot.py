"""A Pico W or Pico 2 W starts with this: first the network, then main.py."""
import wifi

wifi.start('greenhouse')
