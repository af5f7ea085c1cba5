"""Git's answers about real repositories."""
