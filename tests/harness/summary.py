"""Say at the end how many tests ran on which Python, and what they counted.

A test has its figures shown by printing them, on either Python, passed or failed: a line that begins with `figure: `.
"""

import platform
from collections import Counter

HERE = f"CPython {platform.python_version()}"
FIGURE = "figure: "


def group_of(nodeid):
    parts = nodeid.split("/")
    return parts[1] if len(parts) > 2 else "other"


def write(terminal):
    write_figures(terminal)
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


def figures_in(output):
    """The lines of this output that are figures, without what marks them."""
    return [line[len(FIGURE):] for line in output.splitlines() if line.startswith(FIGURE)]


def write_figures(terminal):
    """Each figure once, with the Pythons that came to it where tests run on several."""
    found = {}
    for outcome in ("passed", "failed"):
        for report in terminal.stats.get(outcome, []):
            if getattr(report, "when", "") == "call":
                label = dict(report.user_properties).get("python")
                for text in figures_in(report.capstdout):
                    found.setdefault((group_of(report.nodeid), text), []).append(label)
    if found:
        terminal.section("figures")
    for (group, text), labels in sorted(found.items(), key=lambda item: item[0][0]):
        where = ", ".join(dict.fromkeys(filter(None, labels)))
        terminal.line(f"{group}: {text}" + (f" (on {where})" if where else ""))
