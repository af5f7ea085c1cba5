"""The store against real files, real processes and real shells."""
