"""Nouns: frozen dataclasses that use the standard library alone. They decide nothing and reach nothing."""
