"""Fine-tuning: adapters, masks that leave chosen neurons, the training loop."""
