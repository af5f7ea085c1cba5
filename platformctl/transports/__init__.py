"""The hands: ways to run a command on a host."""
