# nettraced: build, demo and tests. `make help` lists the targets.

BUILD   ?= build
CC      ?= cc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
VERSION := 0.1.0

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wformat=2
CFLAGS   ?= -O2 -g
override CFLAGS += -std=gnu11 $(WARNINGS) -DNT_VERSION='"$(VERSION)"' -I$(BUILD)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ifeq ($(ASAN),1)
override CFLAGS += $(SANITIZE)
LDFLAGS += $(SANITIZE)
BUILD   := build/asan
endif

# The core and its outputs: everything that nettraced, nettrace and the tests share.
CORE_SRC   := $(wildcard daemon/call/*.c daemon/protocol/*.c daemon/run/*.c daemon/finding/*.c \
                daemon/summary/*.c daemon/output/*.c daemon/*.c)
CORE_SRC   := $(filter-out daemon/main.c daemon/check.c,$(CORE_SRC))
DAEMON_SRC := daemon/main.c daemon/check.c $(wildcard daemon/kernel/*.c daemon/target/*.c \
                daemon/capture/*.c daemon/control/*.c)
CLI_SRC    := $(wildcard cli/*.c)
BPF_SRC    := $(wildcard bpf/*.bpf.c)
BPF_DEPS   := $(wildcard bpf/*.h bpf/*.c) vmlinux.h
UNIT_SRC   := $(wildcard tests/unit/test_*.c)

CORE_OBJ   := $(CORE_SRC:%.c=$(BUILD)/%.o)
DAEMON_OBJ := $(DAEMON_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ    := $(CLI_SRC:%.c=$(BUILD)/%.o)
UNIT_BIN   := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)

CORE_LIBS   := -ljansson -lxxhash -lm
DAEMON_LIBS := -lbpf -lelf -lz $(CORE_LIBS)

all: $(BUILD)/nettraced $(BUILD)/nettrace

help:
	@echo 'make         build/nettraced and build/nettrace'
	@echo 'make demo    installs what is missing, builds, traces a small shop before and after its findings are followed'
	@echo 'make test    installs what is missing, builds, runs every test'
	@echo 'make unit | replay | lint | e2e | suites | matrix | vm | bench    one part of it'

$(BUILD)/libnettrace.a: $(CORE_OBJ)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/nettraced: $(DAEMON_OBJ) $(BUILD)/libnettrace.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(BUILD)/nettrace: $(CLI_OBJ) $(BUILD)/libnettrace.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CORE_LIBS)

# The readers of code objects, for interpreters to hold them against themselves (tests/apps/tables.py).
$(BUILD)/libtables.so: daemon/run/lines.c daemon/run/flow.c daemon/run/opcodes.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fPIC -shared -o $@ $^

# For virtual machines and containers that have no libraries of ours.
$(BUILD)/nettraced.static: $(DAEMON_OBJ) $(BUILD)/libnettrace.a
	$(CC) $(CFLAGS) $(LDFLAGS) -static -o $@ $^ -lbpf -lelf -lz -ljansson -lxxhash -lm

$(BUILD)/nettrace.static: $(CLI_OBJ) $(BUILD)/libnettrace.a
	$(CC) $(CFLAGS) $(LDFLAGS) -static -o $@ $^ $(CORE_LIBS)

# Loads every program on its own, for guests: which kernels' verifiers take which.
$(BUILD)/verify.static: tests/vm/verify.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -static -o $@ $< -lbpf -lelf -lz

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(DAEMON_OBJ): $(BUILD)/nettraced.skel.h

# One BPF object for every kernel; its skeleton is a generated header.
$(BUILD)/nettraced.bpf.o: $(BPF_DEPS)
	@mkdir -p $(@D)
	$(CLANG) -target bpf -mcpu=v2 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter \
	  -Wno-gnu-variable-sized-type-not-at-end -D__bpf__ -D__TARGET_ARCH_x86 \
	  -I. -I/usr/include/$(shell $(CC) -dumpmachine) -c bpf/nettraced.bpf.c -o $@

$(BUILD)/nettraced.skel.h: $(BUILD)/nettraced.bpf.o
	{ echo '/* NOLINTBEGIN: generated */'; $(BPFTOOL) gen skeleton $< name nettraced_bpf; echo '/* NOLINTEND */'; } > $@.tmp
	mv $@.tmp $@

# Unit tests link the core compiled with the sanitizers, so that they check it and not only themselves.
UNIT_CORE := $(CORE_SRC:%.c=$(BUILD)/unit/obj/%.o) $(patsubst %.c,$(BUILD)/unit/obj/%.o,$(wildcard daemon/target/*.c))

$(BUILD)/unit/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

$(BUILD)/unit/libcore.a: $(UNIT_CORE)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/unit/libcore.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -I. -Wno-missing-prototypes $(SANITIZE) -o $@ $< $(BUILD)/unit/libcore.a -lcmocka -lelf -lz $(CORE_LIBS)

# These compile the walk of the frames natively.
$(BUILD)/unit/test_images $(BUILD)/unit/test_chain $(BUILD)/unit/image_ranges: $(BPF_DEPS) tests/unit/kernel.h tests/unit/image.h

-include $(CORE_OBJ:.o=.d) $(DAEMON_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(UNIT_CORE:.o=.d)

# The two commands of the README begin with nothing: what is missing is installed before make looks for it again.
packages-%:
	tests/packages.sh build $*

demo: packages-demo
	+$(MAKE) all
	tests/demo.py

test: packages-test
	+$(MAKE) -j2 all tools
	+GUESTS=1 tests/total.py $(LANES)

# Suites that run side by side, and with commas one after another. Those that keep processors busy are in one lane, with a
# guest at a time; the others mostly wait.
LANES ?= prefetch unit,replay,e2e,matrix suites lint,vm

# What the suites need beside the two programs.
tools: $(UNIT_BIN) $(BUILD)/libtables.so $(BUILD)/nettraced.static $(BUILD)/nettrace.static $(BUILD)/verify.static

unit: $(UNIT_BIN)
	tests/unit/run.sh $(UNIT_BIN)

replay: all
	tests/replay/run.sh

e2e: all $(BUILD)/libtables.so
	/usr/bin/python3 -B -m pytest -q -p no:cacheprovider tests/e2e

prefetch:
	tests/suites/prefetch.sh

suites: all $(BUILD)/libtables.so
	tests/suites/run.sh

matrix: all
	tests/matrix/run.py

vm: all $(BUILD)/nettraced.static $(BUILD)/nettrace.static $(BUILD)/verify.static
	tests/vm/run.py --build $(BUILD) $(if $(GUESTS),--jobs $(GUESTS))

# The core alone, as nettrace replay runs it.
$(BUILD)/bench/core: tests/bench/core.c tests/unit/records.h $(BUILD)/libnettrace.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(BUILD)/libnettrace.a $(CORE_LIBS)

bench: all $(BUILD)/bench/core
	$(BUILD)/bench/core --json $(BUILD)/bench-core.json
	/usr/bin/python3 -B tests/bench/run.py --json $(BUILD)/bench.json
	/usr/bin/python3 -B tests/bench/shapes.py --json $(BUILD)/bench-shapes.json
	/usr/bin/python3 -B tests/bench/predict.py --json $(BUILD)/bench-predict.json

lint:
	tests/lint.sh

.PRECIOUS: $(BUILD)/unit/obj/%.o
.PHONY: all help clean demo test tools unit replay e2e prefetch suites matrix vm bench lint

clean:
	rm -rf -- '$(BUILD)'
