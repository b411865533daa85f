"""The artificial world of the demo: its languages, its texts, and its small model.

Only ``pretraining`` imports torch.
"""
