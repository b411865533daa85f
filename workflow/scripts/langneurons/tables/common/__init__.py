"""What the tables share: columns and files, rows of tasks, layouts and renderers."""
