"""The artificial world of the demo: its languages, its texts, and its small model.

Only ``pretraining`` and ``planting`` use torch; no module imports it when it is read.
"""
