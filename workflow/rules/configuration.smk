# Needs: the files of the configuration, before Snakemake merges them: it keeps the last of
# two equal keys, and names no file that is broken.
# Makes: CHECKOUT, the folder of this workflow, SCRIPTS in it, and DEFAULTS, the file that
# all others are read on top of.

import os
import sys
import tarfile
import tempfile
from pathlib import Path

from snakemake.sourcecache import HostingProviderFile

UNPACKED = "LANGNEURONS_UNPACKED"


def checkout():
    """Name the folder of this workflow.

    It is that of this file, not the one where Snakemake runs: `--directory` may name
    another, and another workflow may use this one as a module.
    """
    here = workflow.current_basedir
    if isinstance(here, HostingProviderFile):
        return unpacked(here.hosted_repo.repo, here.ref)
    folder = here.join("../..").get_path_or_uri(secret_free=True)
    if not os.path.isdir(folder):
        raise WorkflowError(
            f"{folder}: jobs run the scripts of this workflow from its folder. Give "
            "`module` the path of a clone's Snakefile, or github(...) or gitlab(...)."
        )
    return folder


def unpacked(repository, ref):
    """Unpack the commit of a module that is given by github(...) or gitlab(...).

    Snakemake fetches the rules of such a module one by one, and jobs need the scripts.
    Each commit has a folder of its own: jobs at work keep theirs.
    """
    if not workflow.is_main_process:
        return os.environ[UNPACKED]
    above = Path(".snakemake/langneurons")
    folder = above / repository.commit(ref).hexsha
    if not folder.is_dir():
        above.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=above)
        with scratch as place, tempfile.TemporaryFile() as archive:
            repository.archive(archive, folder.name)
            archive.seek(0)
            tarfile.open(fileobj=archive).extractall(f"{place}/new", filter="data")
            Path(place, "new").rename(folder)
    os.environ[UNPACKED] = str(folder)
    return folder


moved = workflow.modifier.path_modifier
if moved.prefix or moved.modifies_prefixes:
    raise WorkflowError(
        "`prefix` or `replace_prefix` of a module: it would be put before the names of your "
        "own files too, and results that are there would not be known again. Leave it out. "
        "`study: NAME` in the configuration gives a study a folder of its own below "
        "results/, and --directory moves all of results/."
    )

# Relative where it can be, so that a moved folder reruns nothing.
CHECKOUT = os.path.relpath(checkout())
SCRIPTS = os.path.normpath(f"{CHECKOUT}/workflow/scripts")
sys.path.insert(0, os.path.abspath(SCRIPTS))

from langneurons.config.errors import LangneuronsError
from langneurons.config.yaml_files import BASE, check

# One of the folder where Snakemake runs comes first, as with any workflow.
DEFAULTS = BASE if BASE.is_file() else Path(CHECKOUT) / BASE

if workflow.is_main_process:  # jobs are started with what it has read
    try:
        check([DEFAULTS, *workflow.configfiles])
    except LangneuronsError as error:
        raise WorkflowError(str(error)) from None
