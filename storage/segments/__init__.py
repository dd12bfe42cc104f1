"""Many results in few files: how they are written, opened, mended and gathered."""
