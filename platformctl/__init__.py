"""Terraform's plan and apply discipline for Docker Compose services on people's own hosts."""

__version__ = "0.1.0"
