# Needs: the files of the configuration, before Snakemake merges them: it keeps the last of
# two equal keys, and names no file that is broken.
# Makes: CHECKOUT, the folder of this workflow, SCRIPTS in it, and DEFAULTS, the file that
# all others are read on top of.

import hashlib
import os
import sys
import tarfile
import tempfile
from pathlib import Path

from snakemake.sourcecache import HostingProviderFile


def checkout():
    """Name the folder of this workflow.

    It is that of this file, not the one where Snakemake runs: `--directory` may name
    another, and another workflow may use this one as a module.
    """
    here = workflow.current_basedir
    if isinstance(here, HostingProviderFile):
        named = f"{here.host}/{here.repo}, {here.ref}"
        if not workflow.is_main_process:
            return unpacked_before(named)
        folder = unpacked(here.hosted_repo.repo, here.ref)
        os.environ[told_by(named)] = str(folder)
        return folder
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
    above = Path(".snakemake/langneurons")
    folder = above / repository.commit(ref).hexsha
    if folder.is_dir():
        return folder
    above.mkdir(parents=True, exist_ok=True)
    scratch = tempfile.TemporaryDirectory(dir=above)
    with scratch as place, tempfile.TemporaryFile() as archive:
        repository.archive(archive, folder.name)
        archive.seek(0)
        with tarfile.open(fileobj=archive) as packed:
            packed.extractall(f"{place}/new", filter="data")
        try:
            Path(place, "new").rename(folder)
        except OSError:
            if not folder.is_dir():  # else another start has made it meanwhile
                raise
    return folder


def told_by(named):
    """Name what tells jobs where a module is unpacked; a branch may have moved since."""
    return f"LANGNEURONS_UNPACKED_{hashlib.sha256(named.encode()).hexdigest()[:16]}"


def unpacked_before(named):
    """Find, in a job, the folder that the start has unpacked."""
    folder = os.environ.get(told_by(named))
    if folder is None or not os.path.isdir(folder):
        raise WorkflowError(
            f"{named}: the scripts of this module are not where this job looks for them "
            f"({told_by(named)} is {folder or 'not set'}). The start of Snakemake "
            "unpacks them below .snakemake/ and says where in its environment, so jobs "
            "need both: let the executor hand the environment over (Slurm: not "
            "with --export=NONE) and run them in the same folder on a shared disk. Or give "
            "`module` the path of a clone's Snakefile."
        )
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

import langneurons

LOADED = os.path.dirname(langneurons.__file__)
if not os.path.samefile(LOADED, f"{SCRIPTS}/langneurons"):
    raise WorkflowError(
        f"{SCRIPTS}/langneurons plans this workflow, but {LOADED} is loaded already, and "
        "Python loads one version only. Two modules of this workflow in one Snakefile need "
        "the same version (ref or path); start Snakemake once for each of two versions."
    )

from langneurons.config.errors import LangneuronsError
from langneurons.config.yaml_files import BASE, check

# One of the folder where Snakemake runs comes first, as with any workflow.
DEFAULTS = BASE if BASE.is_file() else Path(CHECKOUT) / BASE

if workflow.is_main_process:  # jobs are started with what it has read
    try:
        check([DEFAULTS, *workflow.configfiles])
    except LangneuronsError as error:
        raise WorkflowError(str(error)) from None
