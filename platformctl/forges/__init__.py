"""Ask a forge about a pull request, and write below it. What its answers mean for an apply is decided in `trust`."""
