"""Code that runs neural networks; only these modules import torch and transformers."""

import logging


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a message of bitsandbytes is more than the lack of a faster kernel.

    On processors with AVX-512 (BF16) it looks for one to download when it is imported,
    and warns if there is none. 4-bit models run without it.
    """
    return not record.getMessage().startswith("Failed to load CPU gemm_4bit_forward")


logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(_is_news)
