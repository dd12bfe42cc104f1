#!/usr/bin/env bash
# A study on a Slurm allocation: a Ray head on the first node, a worker on every node, one driver.
#
#   sbatch docker/slurm.sh studies/table2.yaml --data-root "$SCRATCH/data"
#
# Two minutes before the time limit, and on preemption, Slurm signals this script: the driver drains
# (running cells write a checkpoint) and the job goes back into the queue. The store knows what is
# done, so the same job simply goes on. The store must lie on a file system that all nodes share.
#SBATCH --job-name=noisy-labels
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=64G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
set -euo pipefail

if (($# == 0)); then
    echo "usage: sbatch docker/slurm.sh STUDY [options of orchestrator launch]" >&2
    exit 2
fi

# The token is readable by this user alone; it is all that protects the cluster.
run_dir="${SLURM_SUBMIT_DIR:-$PWD}/.slurm-${SLURM_JOB_ID}"
mkdir -p "$run_dir"
(umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$run_dir/token")
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$run_dir/token" RAY_USAGE_STATS_ENABLED=0

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head_node="${nodes[0]}"
port=$((20000 + SLURM_JOB_ID % 20000))
address="${head_node}:${port}"
cpus="${SLURM_CPUS_PER_TASK:-1}"

nodes_of_ray=()
# shellcheck disable=SC2317  # the trap calls it
stop_ray() {
    # Only what this script started.
    for pid in "${nodes_of_ray[@]}"; do kill "$pid" 2> /dev/null || true; done
    wait "${nodes_of_ray[@]}" 2> /dev/null || true
    rm -rf "$run_dir"
}
trap stop_ray EXIT

srun --nodes=1 --ntasks=1 --nodelist="$head_node" \
    ray start --head --block --port="$port" --num-cpus="$cpus" --include-dashboard=false &
nodes_of_ray+=($!)
for _ in $(seq 60); do
    ray health-check --address "$address" > /dev/null 2>&1 && break
    sleep 2
done
for node in "${nodes[@]:1}"; do
    srun --nodes=1 --ntasks=1 --nodelist="$node" \
        ray start --block --address="$address" --num-cpus="$cpus" &
    nodes_of_ray+=($!)
done

driver=""
drained=0
# shellcheck disable=SC2317  # the trap calls it
drain() {
    drained=1
    if [[ -n "$driver" ]]; then kill -TERM "$driver" 2> /dev/null || true; fi
}
trap drain USR1 TERM

python -m orchestrator launch "$@" --address "$address" &
driver=$!
status=0
# A trapped signal interrupts `wait`; the driver still needs to be waited for.
while true; do
    wait "$driver" && status=0 || status=$?
    kill -0 "$driver" 2> /dev/null || break
done

# 130 and 143: stopped by a signal, resumable.
if ((drained == 1)) && { ((status == 143)) || ((status == 130)); }; then
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
fi
exit "$status"
