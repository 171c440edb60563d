"""How fast the library is beside others on the same machine: what is timed (works), by whom (peers), how (timing)."""
