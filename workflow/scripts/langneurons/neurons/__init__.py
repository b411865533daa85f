"""Recorded activations, histograms and neuron files, read without torch."""
