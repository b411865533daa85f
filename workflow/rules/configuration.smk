# Needs: the files of the configuration, before Snakemake merges them. Makes: nothing.
# Snakemake keeps the last of two equal keys and names no file that is broken.

import sys
from pathlib import Path

sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")

from langneurons.errors import LangneuronsError
from langneurons.yaml_files import BASE, check

if workflow.is_main_process:  # jobs are started with what it has read
    try:
        check([*filter(Path.is_file, [BASE]), *workflow.configfiles])
    except LangneuronsError as error:
        raise WorkflowError(str(error)) from None
