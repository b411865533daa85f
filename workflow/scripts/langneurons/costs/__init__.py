"""What jobs ask for, what they will cost, and what they have cost."""
