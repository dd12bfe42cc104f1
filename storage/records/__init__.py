"""Studies, picks, decisions and conflicts: what a store keeps beside results."""
