#!/busybox sh
# shellcheck shell=dash
#
# A guest's job: what this kernel's verifier says of each BPF program, as on a host and as in a sidecar. It does not matter
# which Python the guest has.
/src/build/verify /src/build/nettraced.bpf.o
/src/build/verify /src/build/nettraced.bpf.o cfg_nested | /busybox sed 's/ok [^ ]*/&.nested/'

