# Needs: the files of the configuration, before Snakemake merges them: it keeps the last of
# two equal keys, and names no file that is broken.
# Makes: CHECKOUT, the folder of this workflow, and SCRIPTS in it.

import os
import sys
from pathlib import Path

# Of this file, not of the folder where Snakemake runs: another workflow may use this one
# as a module. Relative where it can be, so that a moved folder reruns nothing.
CHECKOUT = workflow.current_basedir.join("../..").get_path_or_uri(secret_free=True)
if not os.path.isdir(CHECKOUT):
    raise WorkflowError(
        f"{CHECKOUT}: jobs run the scripts of this workflow from its folder. Clone the "
        "repository, and give `module` the path of its Snakefile."
    )
CHECKOUT = os.path.relpath(CHECKOUT)
SCRIPTS = os.path.normpath(f"{CHECKOUT}/workflow/scripts")
sys.path.insert(0, os.path.abspath(SCRIPTS))

from langneurons.config.errors import LangneuronsError
from langneurons.config.yaml_files import BASE, check

if workflow.is_main_process:  # jobs are started with what it has read
    try:
        check([*filter(Path.is_file, [BASE]), *workflow.configfiles])
    except LangneuronsError as error:
        raise WorkflowError(str(error)) from None
