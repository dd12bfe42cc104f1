"""What keeps a launch from losing work: the lease, drains, full disks, hanging workers."""
