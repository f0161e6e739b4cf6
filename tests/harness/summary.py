"""Say at the end how many tests ran on which Python."""

import platform
from collections import Counter

HERE = f"CPython {platform.python_version()}"


def group_of(nodeid):
    parts = nodeid.split("/")
    return parts[1] if len(parts) > 2 else "other"


def write(terminal):
    groups = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminal.stats.get(outcome, []):
            if outcome != "error" and getattr(report, "when", "call") != "call":
                continue
            label = dict(getattr(report, "user_properties", ())).get("python", HERE)
            groups.setdefault(group_of(report.nodeid), Counter())[label] += 1
    if not groups:
        return
    terminal.section("tests by Python")
    for group, labels in sorted(groups.items()):
        counts = ", ".join(f"{count} on {label}" for label, count in labels.items())
        terminal.line(f"{group} tests: {counts}")
