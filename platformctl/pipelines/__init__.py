"""What a forge's runner is to do with platformctl: the workflow files and actions of a platform repository."""
