"""What is known of a loss or an architecture before anything is trained."""
