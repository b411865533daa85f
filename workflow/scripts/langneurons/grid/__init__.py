"""From a checked configuration to rows and paths: plain data, no files are opened.

Rows make jobs and tables; only ``config`` is read.
"""
