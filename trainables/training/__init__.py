"""Configurations in, curves out: the loop, its step, its stacks and checkpoints."""
