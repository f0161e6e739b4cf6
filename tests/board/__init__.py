"""An emulated Raspberry Pi Pico: real RP2040 MicroPython firmware, driven by the real mpremote."""
