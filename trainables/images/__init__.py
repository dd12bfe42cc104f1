"""The images of a run: on the device, or read ahead of the step."""
