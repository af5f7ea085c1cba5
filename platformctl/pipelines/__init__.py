"""What a forge's runner does with platformctl: the workflow files and actions of a platform repository."""
