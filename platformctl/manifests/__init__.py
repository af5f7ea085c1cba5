"""YAML in, checked nouns out: modules, hosts, policy and compose files, each error with its file and line."""
