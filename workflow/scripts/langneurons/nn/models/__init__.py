"""Models on disk and in memory: families, fetching, quantising, tokenizers, loading.

The first room that may import torch; ``families``, ``folders``, ``checkpoints`` and
``fetching`` are read without it when a run starts.
"""
