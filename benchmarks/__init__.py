"""Speed and memory, side by side with others in one run: ``make bench`` runs all, ``python -m benchmarks NAME`` one."""
