"""Text of one language: from the hub or files to documents, chunks and token files."""
