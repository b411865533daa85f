"""What tasks share: reading, sampling and preparing items, and comparing answers."""
