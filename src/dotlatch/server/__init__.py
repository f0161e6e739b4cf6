"""CPython only: what stands between dotlatch and the servers, databases and frameworks of a bigger machine."""
