"""What a user may write: entries of the configuration, names, and errors that help.

Every room may enter. Nothing here reads results or knows a single plug-in.
"""
