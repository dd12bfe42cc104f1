"""What is known of results: why they stand, in what they differ, and making them anew."""
