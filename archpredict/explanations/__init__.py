"""What would make an architecture better, and why a network has its score."""
