#!/bin/sh
# Checks, measures and trains on every device that is here. Never waits for a person, and ends in time.
#
#   run.sh OUT SECONDS [DATA] [EARLIER]
#
# OUT      folder for the results; it is made:
#            times.csv   what was done on which device, how long it took, how it ended
#            errors.csv  each device against the models' known answers and PyTorch's numbers
#            gpu.csv     the card's use, each second
#            log.txt     what all programs said
#            run.tar.*   the training: cat run.tar.* | tar -xz
# SECONDS  after which everything has ended and is written
# DATA     what to train on; "" or nothing: the folder data beside this script; where there is none, nothing is trained
# EARLIER  what training goes on from: an OUT, the folder of a run, or weights (.safetensors)
#
# In the environment: RECIPE [recipes/head.toml, else recipes/hippocampus.toml]; EPOCHS of stage 2 [the recipe's];
# DEVICES, the best first [libtorch-cuda cuda vulkan webgpu webgpu-half cpu].
set -u

if [ $# -lt 2 ]; then
    sed -n '2,/^set/s/^#//p' "$0"
    exit 2
fi
begun=$(date +%s)
limit=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd)
data=${3:-$here/data}
earlier=${4:-}
devices=${DEVICES:-libtorch-cuda cuda vulkan webgpu webgpu-half cpu}
recipe=$here/recipes/head.toml
[ -f "$recipe" ] || recipe=$here/recipes/hippocampus.toml
recipe=${RECIPE:-$recipe}
# For packing the results, and for a program that is slow to die.
reserve=$((limit / 20 + 5))
# What is measured before training ends halfway, and a device that needs longer than this for a check is no use here.
until=$((begun + limit / 2))
check_limit=60
work=$(mktemp -d)
run=$work/run
export TMPDIR="$work" HOME="${HOME:-$work}"

exec 3>&1 >"$out/log.txt" 2>&1 </dev/null
echo "what,device,seconds,result" >"$out/times.csv"
echo "device,check,error,allowed" >"$out/errors.csv"
echo "time,gpu %,memory %,memory MiB,power W,clock MHz" >"$out/gpu.csv"

# Appends a line to a table; a comma within a value would be another column.
row() {
    echo "$1,$2,$3,$4" >>"$out/times.csv"
}

# The smaller of a number of seconds and those left.
at_most() {
    left=$((until - $(date +%s)))
    if [ "$left" -lt "$1" ]; then echo "$left"; else echo "$1"; fi
}

# timed WHAT DEVICE SECONDS COMMAND…: runs it for at most so long, and writes down how long it took and how it ended.
timed() {
    what=$1 device=$2 seconds=$(at_most "$3")
    shift 3
    if [ "$seconds" -lt 1 ]; then
        row "$what" "$device" 0 "no time left"
        return 1
    fi
    echo "== $what on $device, for at most $seconds s: $*" >&2
    from=$(date +%s%3N)
    timeout -k 5 "$seconds" "$@"
    status=$?
    took=$(($(date +%s%3N) - from))
    case $status in
    0) result=done ;;
    124 | 137) result="stopped at its limit" ;;
    *) result="failed with $status" ;;
    esac
    row "$what" "$device" "$(printf '%d.%03d' $((took / 1000)) $((took % 1000)))" "$result"
    return $status
}

program_of() {
    case $1 in
    libtorch*) echo "$here/bin/dinomed3d-libtorch" ;;
    webgpu*) echo "$here/bin/dinomed3d-webgpu" ;;
    *) echo "$here/bin/dinomed3d" ;;
    esac
}

# check WHAT DEVICE FOLDER [VARIABLE=VALUE…]: by the models' known answers, or by PyTorch's numbers, whichever folder that is.
check() {
    what=$1 device=$2 folder=$3
    shift 3
    timed "$what" "$device" $check_limit \
        env "$@" "$(program_of "$device")" check --device "$device" "--${folder##*/}" "$folder" >"$work/errors"
    passed=$?
    sed -n "2,\$s/^$device,/$device $what,/p" "$work/errors" >>"$out/errors.csv"
    return $passed
}

# Lays the run into the output folder, in parts under 16 MB and 64 MB together: what a small channel takes. The optimizer's state
# stays behind where it has to.
pack() {
    [ -f "$run/state.json" ] || return
    tar -cz -C "$run" . >"$work/run.tar"
    if [ "$(wc -c <"$work/run.tar")" -gt 60000000 ]; then
        echo "too large to bring back with its checkpoint" >&2
        tar -cz -C "$run" --exclude=./checkpoint . >"$work/run.tar"
    fi
    rm -f "$out"/run.tar.*
    split -b 15000000 "$work/run.tar" "$out/run.tar."
}

# Where an installed PyTorch has its libraries; it is looked for, not loaded.
torch=$(python3 -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' 2>/dev/null)
[ -n "$torch" ] && export LD_LIBRARY_PATH="$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# Burn's CUDA kernels are linked with its libdevice.
export CUDA_PATH="$here/cuda"
# Which of Burn's kernels is fastest is tried while it runs; trying all takes longer than a short loan lasts.
export CUBECL_AUTOTUNE_LEVEL="${CUBECL_AUTOTUNE_LEVEL:-minimal}"
# Products in single precision are what the known answers are for. Training is free to take TF32.
export NVIDIA_TF32_OVERRIDE=0

cat "$here/version.txt"
uname -srm
grep -m 1 'model name' /proc/cpuinfo
nproc
free -m 2>/dev/null
echo "PyTorch: ${torch:-none}"
if command -v nvidia-smi; then
    nvidia-smi
    nvidia-smi -l 1 --format=csv,noheader,nounits \
        --query-gpu=timestamp,utilization.gpu,utilization.memory,memory.used,power.draw,clocks.sm >>"$out/gpu.csv" 3>&- &
    watch=$!
fi

best=
for device in $devices; do
    if [ ! -x "$(program_of "$device")" ]; then
        row check "$device" 0 "not in this bundle"
        continue
    fi
    check check "$device" "$here/models" || continue
    [ -d "$here/reference" ] && check reference "$device" "$here/reference"
    # The processor only steps in for a card.
    [ -n "$best" ] && [ "$device" = cpu ] && continue
    best=${best:-$device}
    [ "$device" = libtorch-cuda ] && check "check with TF32" "$device" "$here/models" --unset=NVIDIA_TF32_OVERRIDE
    for scan in "$here"/sample/sample.nii.gz "$here"/scan/*; do
        [ -f "$scan" ] || continue
        model=$here/models/hippocampus
        case $scan in "$here"/scan/*) [ -d "$here/models/head" ] && model=$here/models/head ;; esac
        # The second time a card's kernels are compiled already.
        for again in "" " again"; do
            # A head takes a processor minutes.
            timed "segment $(basename "$scan")$again" "$device" $((limit / 6 + 1)) "$(program_of "$device")" segment "$scan" \
                --device "$device" --model "$model" --output "$work/$device-labels.nii.gz"
        done
    done
done

if [ -n "$best" ] && [ -d "$data" ]; then
    set -- --recipe "$recipe" --data "$data" --out "$run" --device "$best" --no-cache
    if [ -f "$earlier" ]; then
        set -- "$@" --init "$earlier"
    elif [ -n "$earlier" ]; then
        mkdir -p "$run"
        if ls "$earlier"/run.tar.* >/dev/null 2>&1; then
            cat "$earlier"/run.tar.* | tar -xz -C "$run"
        else
            cp -R "$earlier/." "$run"
        fi
        set -- "$@" --resume
    fi
    [ -n "${EPOCHS:-}" ] && set -- "$@" --stage2-epochs "$EPOCHS"
    # Should this script be stopped, what it leaves is a minute old.
    minute=0
    while [ ! -e "$work/trained" ]; do
        sleep 1
        minute=$(((minute + 1) % 60))
        [ $minute -eq 0 ] && pack
    done 3>&- &
    packing=$!
    until=$((begun + limit - reserve))
    timed train "$best" "$limit" env --unset=NVIDIA_TF32_OVERRIDE "$(program_of "$best")" train "$@"
    : >"$work/trained"
    wait $packing
    pack
    cat "$run/log.csv"
fi
[ -n "${watch:-}" ] && kill "$watch"

cat "$out/times.csv" >&3
tr '\r' '\n' <"$out/log.txt" | grep -E '^(dinomed3d:|stage . epoch [0-9]+:|best mean)' >&3
rm -rf "$work"
[ -n "$best" ]
