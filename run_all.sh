#!/usr/bin/env bash
# Runs every notebook and regenerates every number and figure; what is up to date is skipped.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: bash run_all.sh [options] [-- arguments for Snakemake]

  --profile NAME      demo (default): simulated cortex, on a laptop; full: the paper's data and sizes;
                      smoke: the smallest, for tests; recording: a recording of your own
  --recording NAME    a recording imported with notebooks/<study>/00_import_recording
  --study NAME        one study (default: all)
  --jobs N            notebooks that run side by side (default: the number of cores)
  --processes N       share each training, on a GPU each where the profile asks for GPUs (default: 1)
  --cluster NAME      jobs go to a cluster: slurm, kubernetes, or a folder like clusters/slurm; set up
                      clusters/NAME/config.yaml first
  --data-root DIR     raw data, caches and checkpoints (default: data)
  --output-root DIR   figures, tables and executed notebooks (default: figures)
  --dry-run           run nothing; say what would be fetched and run, and what that needs
  --help              this text

Makes the environment .venv on first use.
TEXT
}

die() {
    printf '%s\n' "run_all.sh: $1 (--help lists the options)" >&2
    exit 2
}

start=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"

absolute() { case $1 in /*) printf %s "$1" ;; *) printf %s "$start/$1" ;; esac; }

profile="" recording="" study="" jobs="" data_root="" output_root="" processes="" cluster="" dry=""
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage && exit ;;
    --) shift && break ;;
    --dry-run) dry=1 && shift && continue ;;
    --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
    --profile | --recording | --study | --jobs | --data-root | --output-root | --processes | --cluster)
        [ $# -ge 2 ] && [ -n "$2" ] || die "$1 needs a value"
        name=${1#--}
        printf -v "${name//-/_}" %s "$2"
        shift 2
        ;;
    *) die "unknown option $1" ;;
    esac
done
profile=${profile:-${recording:+recording}}
profile=${profile:-demo}
data_root=${data_root:+$(absolute "$data_root")}
output_root=${output_root:+$(absolute "$output_root")}
figures=${output_root:-$PWD/figures}
counted() { case $2 in 0 | *[!0-9]*) die "$1 needs a positive number, not '$2'" ;; esac; }
counted --jobs "$jobs"
counted --processes "$processes"
if [ -n "$cluster" ]; then
    folder=clusters/$cluster
    [ -e "$folder/config.yaml" ] || folder=$(absolute "$cluster")
    [ -e "$folder/config.yaml" ] || die "--cluster $cluster: no config.yaml in clusters/$cluster or $folder"
    set -- --profile "$folder" "$@"
fi
# Where Snakemake runs jobs: here, or where its arguments or a profile of its own name an executor.
where=here last=""
for word in "$@" "${SNAKEMAKE_PROFILE:+--profile=$SNAKEMAKE_PROFILE}"; do
    [ "$last" != --profile ] || word=--profile=$word
    last=$word word=${word#--profile=}
    case $last in
    --executor | --executor=* | -e) [ $where = profile ] || where=executor ;;
    --profile=*) ! grep -qs '^executor:' "$word" {,~/.config/snakemake/}"$word"/*.yaml || where=profile ;;
    esac
done
if [ $where != profile ]; then # which says itself how many at once
    jobs=${jobs:-$(env -u OMP_NUM_THREADS nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)}
fi
[ "$profile" != recording ] || [ -n "$recording" ] || die "--profile recording needs --recording NAME"

. ./setup.sh

graph=(--snakefile Snakefile --directory "$figures" --scheduler greedy --nolock --rerun-incomplete)
graph+=(${jobs:+--jobs "$jobs"})
[ $where != executor ] || graph+=(--cores 1000) # of all jobs together
settings=(profile="$profile" recording="$recording" study="$study" data_root="$data_root" output_root="$output_root")
settings+=(processes="$processes")
if [ $# -eq 0 ] && [ -z "$dry" ]; then # src.run reports one line a notebook; Snakemake adds errors only
    graph+=(--quiet rules progress host reason)
    settings+=(terse=1)
fi
snakemake=(python -m snakemake)
if [ $where = here ]; then # this machine's limits, which jobs side by side must share
    snakemake=(python -m src.local_graph)
    memory=$(python -c 'import os; print(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20)')
    gpus=$(nvidia-smi -L 2>/dev/null | grep -c . || true)
    graph+=(--cores "$jobs" --resources mem_mb="$memory" gpu="$((gpus > 1 ? gpus : 1))")
fi

if [ -n "$dry" ]; then
    "${snakemake[@]}" "${graph[@]}" --dry-run --printshellcmds --config "${settings[@]}" "$@" |
        python -m src.dry_run --profile "$profile" --recording "$recording" --study "$study" --data-root "$data_root"
    exit
fi

if [ "$(uname)" = Linux ] && [ $where = here ]; then # kernels that start warm
    export STRIATE_WARM=$$-$RANDOM # src.start has a server of that name
fi

asked=(--profile "$profile" --recording "$recording" --study "$study" --data-root "$data_root")
asked+=(--output-root "$output_root")
python -m src.start "${asked[@]}" -- "${snakemake[@]}" "${graph[@]}" --config "${settings[@]}" "$@" || {
    status=$?
    [ "$status" = 2 ] || printf '%s\n' "Stopped. The same command continues from here." >&2
    exit "$status"
}
if [[ " $* " != *" -n "* && " $* " != *" --dry-run "* ]]; then
    python -m src.summary "$figures"/${study:-*}/"${recording:-$profile}"/manifest.json
    printf '%s\n' "Done in $((SECONDS / 60)) min $((SECONDS % 60)) s."
fi
