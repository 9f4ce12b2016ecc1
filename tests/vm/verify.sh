#!/busybox sh
# shellcheck shell=dash
#
# A guest's job: what this kernel's verifier says of each BPF program. It does not matter which Python the guest has.
exec /src/build/verify /src/build/nettraced.bpf.o
