"""The one streaming pass that records what all neurons do, and its GPU kernels."""
