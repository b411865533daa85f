"""Code that runs neural networks; only these modules import torch and transformers."""
