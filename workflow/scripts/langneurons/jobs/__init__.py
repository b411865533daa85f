"""What every script shares: command line, files, hashes, provenance, micro-batch, GPUs.

Every room below ``grid`` may enter. ``gpus`` imports torch when a GPU is asked for.
"""
