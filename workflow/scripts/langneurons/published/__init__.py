"""The published numbers and procedure, and which of ours stand beside them."""
