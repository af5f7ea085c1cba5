"""Ways to run a command on a host."""
