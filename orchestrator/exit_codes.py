"""What the command line ends with, for whoever starts it or is started by it."""

DONE, BAD_INPUT, INCOMPLETE, DAMAGED, BUSY = 0, 2, 3, 4, 75
SIGNALLED = 128
"""Added to a signal's number, as shells do."""
