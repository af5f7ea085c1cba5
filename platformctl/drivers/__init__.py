"""What to say to a container engine and how to read its answers. Drivers run nothing."""
