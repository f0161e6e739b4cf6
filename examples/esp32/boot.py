"""An ESP32 starts with this: first the network, then main.py. It needs wifi.py from ../pico_w beside it."""
import wifi

wifi.start('greenhouse', security=3)  # WPA2: its own network would be open else
