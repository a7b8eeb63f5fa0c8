"""What the rest stands on: files, devices, checkpoints, progress, seeds. Nothing here knows of the paper."""
