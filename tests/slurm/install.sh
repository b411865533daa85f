#!/usr/bin/env bash
# Install the Slurm daemons for tests/slurm from Debian's (or Ubuntu's) packages.
# Nothing is configured and no service has to run: the tests start their own daemons, on
# the loopback interface, with their own configuration and key, and stop them.
set -euo pipefail
if command -v slurmctld slurmd squeue munged > /dev/null; then exit 0; fi
command -v apt-get > /dev/null || {
  echo 'install.sh: no apt-get here; install slurmctld, slurmd, the Slurm client' \
    'commands and munge in your own way' >&2
  exit 1
}
as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends \
  slurmctld slurmd slurm-client munge > /dev/null
