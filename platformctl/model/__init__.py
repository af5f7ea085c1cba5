"""Nouns: frozen dataclasses of the standard library alone. They decide nothing and reach nothing."""
