"""Intervals, paired tests, bootstrap and power over items; arrays in, numbers out."""
