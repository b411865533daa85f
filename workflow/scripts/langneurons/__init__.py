"""Find, overwrite and fine-tune language-specific neurons of multilingual LLMs."""

__version__ = "0.1.0"
