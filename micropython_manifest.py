# Freezes dotlatch into a firmware: the recommended way for a board that is to have much of it, since frozen code takes
# next to no memory. For a Pico, `dotlatch firmware` does all of it. In a board's own manifest:
#
#     include("/path/to/dotlatch/micropython_manifest.py", microdot="/path/to/microdot/src")
#
# features   "all", or some of the names in packages/, with spaces between: features="login users throttle"
# microdot   the folder that has Microdot's package in it, to be frozen too; without it, Microdot comes another way
# arm        False for a processor that is no ARM Cortex-M, such as an ESP32's: its compiler refuses ARM's instructions
#
# There is no metadata() here: it would be that of the manifest that includes this one.
# ruff: noqa: F821 (options and package are given by MicroPython's manifest tool)
import json
import os

options.defaults(features="all", microdot=None, arm=True)

# The paths of a manifest begin where the manifest is.
lists = {"all": "package.json"}
lists.update((file[:-len(".json")], "packages/" + file) for file in sorted(os.listdir("packages")))
named = options.features.split() if isinstance(options.features, str) else []
unknown = [feature for feature in named if feature not in lists]
if unknown or not named:
    raise ValueError("features=%r %s: it is a text with one or more of these, and spaces between: %s" % (
        options.features, "has %s in it" % ", ".join(unknown) if unknown else "names none", ", ".join(lists)))

wanted = {"dotlatch": set(), "microdot": set()}
for feature in named:
    with open(lists[feature]) as listing:
        for target, _ in json.load(listing)["urls"]:
            name, file = target.split("/")
            wanted[name].add(file)
if not options.arm:
    wanted["dotlatch"].discard("pbkdf2_thumb.py")

package("dotlatch", files=sorted(wanted["dotlatch"]), base_path="src", opt=3)
if options.microdot:
    package("microdot", files=sorted(wanted["microdot"]), base_path=options.microdot, opt=3)
