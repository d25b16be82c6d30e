"""Zero-cost proxies: a score of an untrained network (one file each)."""
