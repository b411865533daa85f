#!/usr/bin/env bash
# The `python` of the jobs in these tests. It notes each program that a job starts and,
# where a test asks for it, gets one of them into trouble.
#
#   REAL_PYTHON    the interpreter
#   STARTED        file that gets a line a program: job id, GPUs, script, arguments
#   TROUBLE        kind of trouble, or empty
#   TROUBLE_SCRIPT which script gets into it
#   TROUBLE_WHEN   stall: when this file (a pattern) is there
#   TROUBLE_DONE   stall, once: folder that is made when it happens
#   TROUBLE_MB     eat: memory in MB for each sequence of the micro-batch
script=$(basename -- "${1:-}")
if [[ $script == *.py ]]; then
  echo "${SLURM_JOB_ID:-local} ${CUDA_VISIBLE_DEVICES:--} $script ${*:2}" >> "$STARTED"
fi
if [[ -z $TROUBLE || $script != "$TROUBLE_SCRIPT" ]]; then exec "$REAL_PYTHON" "$@"; fi

case $TROUBLE in
  stall) # stop in the middle of the work, the first time
    if ! mkdir "$TROUBLE_DONE" 2> /dev/null; then exec "$REAL_PYTHON" "$@"; fi
    "$REAL_PYTHON" "$@" <&0 & # in the background it would read /dev/null
    program=$!
    until compgen -G "$TROUBLE_WHEN" > /dev/null; do
      kill -0 $program || exit 1
      sleep 0.02
    done
    kill -STOP $program
    echo $program > "$TROUBLE_DONE/pid.part"
    mv "$TROUBLE_DONE/pid.part" "$TROUBLE_DONE/pid"
    wait $program
    ;;
  eat) # need memory in proportion to the micro-batch, as on a GPU
    size=$(sed -E 's/.*--micro-batch ([0-9]+) .*/\1/' <<< "$*")
    "$REAL_PYTHON" -c "import time; room = b'x' * ($size * $TROUBLE_MB << 20); time.sleep(4)" \
      < /dev/null || exit 1
    exec "$REAL_PYTHON" "$@"
    ;;
  fail)
    echo 'error: this program always fails' >&2
    exit 1
    ;;
esac
