# Freezes dotlatch into a firmware: the recommended way for a board that is to have much of it, since frozen code takes
# next to no memory. In a board's own manifest:
#
#     include("/path/to/dotlatch/micropython_manifest.py", microdot="/path/to/microdot/src")
#
# features   "all", or some of the names in packages/, with spaces between: features="login users throttle"
# microdot   the folder that has Microdot's package in it, to be frozen too; without it, Microdot comes another way
# arm        False for a processor that is no ARM Cortex-M, such as an ESP32's: its compiler refuses ARM's instructions
# ruff: noqa: F821 (metadata, options and package are given by MicroPython's manifest tool)
import json

metadata(version="0.1.0", description="Authentication for the Microdot web framework")
options.defaults(features="all", microdot=None, arm=True)

wanted = {"dotlatch": set(), "microdot": set()}
for feature in options.features.split():
    # The paths of a manifest begin where the manifest is.
    with open("package.json" if feature == "all" else "packages/" + feature + ".json") as listing:
        for target, _ in json.load(listing)["urls"]:
            name, file = target.split("/")
            wanted[name].add(file)
if not options.arm:
    wanted["dotlatch"].discard("pbkdf2_thumb.py")

package("dotlatch", files=sorted(wanted["dotlatch"]), base_path="src", opt=3)
if options.microdot:
    package("microdot", files=sorted(wanted["microdot"]), base_path=options.microdot, opt=3)
